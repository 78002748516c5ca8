"""The messages of Caffe's own format, caffe.proto, as far as a network and its weights need them:
names and numbers of fields for the package protobuf, which reads both their text and their bytes.

One message a paragraph, one field a word: its number, its name, `[]` where it repeats, and its
type, where that is none of the four that a letter stands for (s text, i integer, f float, b truth).
A blob's numbers are declared as bytes: packed floats are the same bytes, and millions of them need
not become objects of Python.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

ENUMS = {
    "Phase": {"TRAIN": 0, "TEST": 1},
    "VarianceNorm": {"FAN_IN": 0, "FAN_OUT": 1, "AVERAGE": 2},
    "DimCheckMode": {"STRICT": 0, "PERMISSIVE": 1},
    "Normalization": {"FULL": 0, "VALID": 1, "BATCH_SIZE": 2, "NONE": 3},
    "Engine": {"DEFAULT": 0, "CAFFE": 1, "CUDNN": 2},
    "DB": {"LEVELDB": 0, "LMDB": 1},
    "EltwiseOp": {"PROD": 0, "SUM": 1, "MAX": 2},
    "HingeNorm": {"L1": 1, "L2": 2},
    "NormRegion": {"ACROSS_CHANNELS": 0, "WITHIN_CHANNEL": 1},
    "PoolMethod": {"MAX": 0, "AVE": 1, "STOCHASTIC": 2},
    "RoundMode": {"CEIL": 0, "FLOOR": 1},
    "V1Type": {
        pair.partition("=")[0]: pair.partition("=")[2]
        for pair in (
            "NONE=0 ACCURACY=1 BNLL=2 CONCAT=3 CONVOLUTION=4 DATA=5 DROPOUT=6 EUCLIDEAN_LOSS=7 "
            "FLATTEN=8 HDF5_DATA=9 HDF5_OUTPUT=10 IM2COL=11 IMAGE_DATA=12 INFOGAIN_LOSS=13 "
            "INNER_PRODUCT=14 LRN=15 MULTINOMIAL_LOGISTIC_LOSS=16 POOLING=17 RELU=18 SIGMOID=19 "
            "SOFTMAX=20 SOFTMAX_LOSS=21 SPLIT=22 TANH=23 WINDOW_DATA=24 ELTWISE=25 POWER=26 "
            "SIGMOID_CROSS_ENTROPY_LOSS=27 HINGE_LOSS=28 MEMORY_DATA=29 ARGMAX=30 THRESHOLD=31 "
            "DUMMY_DATA=32 SLICE=33 MVN=34 ABSVAL=35 SILENCE=36 CONTRASTIVE_LOSS=37 EXP=38 "
            "DECONVOLUTION=39"
        ).split()
    },
}

MESSAGES = """
BlobShape 1:dim[]:int64
BlobProto 7:shape:BlobShape 5:data:bytes 6:diff:bytes 8:double_data:bytes 9:double_diff:bytes
    1:num:i 2:channels:i 3:height:i 4:width:i
FillerParameter 1:type:s 2:value:f 3:min:f 4:max:f 5:mean:f 6:std:f 7:sparse:i
    8:variance_norm:VarianceNorm
NetState 1:phase:Phase 2:level:i 3:stage[]:s
NetStateRule 1:phase:Phase 2:min_level:i 3:max_level:i 4:stage[]:s 5:not_stage[]:s
ParamSpec 1:name:s 2:share_mode:DimCheckMode 3:lr_mult:f 4:decay_mult:f
TransformationParameter 1:scale:f 2:mirror:b 3:crop_size:i 4:mean_file:s 5:mean_value[]:f
    6:force_color:b 7:force_gray:b
LossParameter 1:ignore_label:i 3:normalization:Normalization 2:normalize:b
AccuracyParameter 1:top_k:i 2:axis:i 3:ignore_label:i
ArgMaxParameter 1:out_max_val:b 2:top_k:i 3:axis:i
ConcatParameter 2:axis:i 1:concat_dim:i
BatchNormParameter 1:use_global_stats:b 2:moving_average_fraction:f 3:eps:f
BiasParameter 1:axis:i 2:num_axes:i 3:filler:FillerParameter
ContrastiveLossParameter 1:margin:f 2:legacy_version:b
ConvolutionParameter 1:num_output:i 2:bias_term:b 3:pad[]:i 4:kernel_size[]:i 6:stride[]:i
    18:dilation[]:i 9:pad_h:i 10:pad_w:i 11:kernel_h:i 12:kernel_w:i 13:stride_h:i 14:stride_w:i
    5:group:i 7:weight_filler:FillerParameter 8:bias_filler:FillerParameter 15:engine:Engine
    16:axis:i 17:force_nd_im2col:b
CropParameter 1:axis:i 2:offset[]:i
DataParameter 1:source:s 4:batch_size:i 7:rand_skip:i 8:backend:DB 2:scale:f 3:mean_file:s
    5:crop_size:i 6:mirror:b 9:force_encoded_color:b 10:prefetch:i
DropoutParameter 1:dropout_ratio:f 2:scale_train:b
DummyDataParameter 1:data_filler[]:FillerParameter 6:shape[]:BlobShape 2:num[]:i 3:channels[]:i
    4:height[]:i 5:width[]:i
EltwiseParameter 1:operation:EltwiseOp 2:coeff[]:f 3:stable_prod_grad:b
ELUParameter 1:alpha:f
EmbedParameter 1:num_output:i 2:input_dim:i 3:bias_term:b 4:weight_filler:FillerParameter
    5:bias_filler:FillerParameter
ExpParameter 1:base:f 2:scale:f 3:shift:f
FlattenParameter 1:axis:i 2:end_axis:i
HDF5DataParameter 1:source:s 2:batch_size:i 3:shuffle:b
HDF5OutputParameter 1:file_name:s
HingeLossParameter 1:norm:HingeNorm
ImageDataParameter 1:source:s 4:batch_size:i 7:rand_skip:i 8:shuffle:b 9:new_height:i 10:new_width:i
    11:is_color:b 2:scale:f 3:mean_file:s 5:crop_size:i 6:mirror:b 12:root_folder:s
InfogainLossParameter 1:source:s 2:axis:i
InnerProductParameter 1:num_output:i 2:bias_term:b 3:weight_filler:FillerParameter
    4:bias_filler:FillerParameter 5:axis:i 6:transpose:b
InputParameter 1:shape[]:BlobShape
LogParameter 1:base:f 2:scale:f 3:shift:f
LRNParameter 1:local_size:i 2:alpha:f 3:beta:f 4:norm_region:NormRegion 5:k:f 6:engine:Engine
MemoryDataParameter 1:batch_size:i 2:channels:i 3:height:i 4:width:i
MVNParameter 1:normalize_variance:b 2:across_channels:b 3:eps:f
ParameterParameter 1:shape:BlobShape
PoolingParameter 1:pool:PoolMethod 4:pad:i 9:pad_h:i 10:pad_w:i 2:kernel_size:i 5:kernel_h:i
    6:kernel_w:i 3:stride:i 7:stride_h:i 8:stride_w:i 11:engine:Engine 12:global_pooling:b
    13:round_mode:RoundMode
PowerParameter 1:power:f 2:scale:f 3:shift:f
PReLUParameter 1:filler:FillerParameter 2:channel_shared:b
PythonParameter 1:module:s 2:layer:s 3:param_str:s 4:share_in_parallel:b
ReductionParameter 1:operation:i 2:axis:i 3:coeff:f
ReLUParameter 1:negative_slope:f 2:engine:Engine
ReshapeParameter 1:shape:BlobShape 2:axis:i 3:num_axes:i
ScaleParameter 1:axis:i 2:num_axes:i 3:filler:FillerParameter 4:bias_term:b
    5:bias_filler:FillerParameter
SigmoidParameter 1:engine:Engine
SliceParameter 3:axis:i 2:slice_point[]:i 1:slice_dim:i
SoftmaxParameter 1:engine:Engine 2:axis:i
SPPParameter 1:pyramid_height:i 2:pool:PoolMethod 6:engine:Engine
SwishParameter 1:beta:f
TanHParameter 1:engine:Engine
TileParameter 1:axis:i 2:tiles:i
ThresholdParameter 1:threshold:f
ClipParameter 1:min:f 2:max:f
WindowDataParameter 1:source:s 2:scale:f 3:mean_file:s 4:batch_size:i 5:crop_size:i 6:mirror:b
    7:fg_threshold:f 8:bg_threshold:f 9:fg_fraction:f 10:context_pad:i 11:crop_mode:s
    12:cache_images:b 13:root_folder:s
V0LayerParameter 1:name:s 2:type:s 3:num_output:i 4:biasterm:b 5:weight_filler:FillerParameter
    6:bias_filler:FillerParameter 7:pad:i 8:kernelsize:i 9:group:i 10:stride:i 11:pool:PoolMethod
    12:dropout_ratio:f 13:local_size:i 14:alpha:f 15:beta:f 22:k:f 16:source:s 17:scale:f
    18:meanfile:s 19:batchsize:i 20:cropsize:i 21:mirror:b 50:blobs[]:BlobProto 51:blobs_lr[]:f
    52:weight_decay[]:f 53:rand_skip:i 54:det_fg_threshold:f 55:det_bg_threshold:f
    56:det_fg_fraction:f 58:det_context_pad:i 59:det_crop_mode:s 60:new_num:i 61:new_channels:i
    62:new_height:i 63:new_width:i 64:shuffle_images:b 65:concat_dim:i
    1001:hdf5_output_param:HDF5OutputParameter
V1LayerParameter 2:bottom[]:s 3:top[]:s 4:name:s 32:include[]:NetStateRule
    33:exclude[]:NetStateRule 5:type:V1Type 6:blobs[]:BlobProto 1001:param[]:s
    1002:blob_share_mode[]:DimCheckMode 7:blobs_lr[]:f 8:weight_decay[]:f 35:loss_weight[]:f
    27:accuracy_param 23:argmax_param:ArgMaxParameter 9:concat_param 40:contrastive_loss_param
    10:convolution_param 11:data_param 12:dropout_param 26:dummy_data_param 24:eltwise_param
    41:exp_param 13:hdf5_data_param:HDF5DataParameter 14:hdf5_output_param:HDF5OutputParameter
    29:hinge_loss_param 15:image_data_param 16:infogain_loss_param 17:inner_product_param
    18:lrn_param:LRNParameter 22:memory_data_param 34:mvn_param:MVNParameter 19:pooling_param
    21:power_param 30:relu_param:ReLUParameter 38:sigmoid_param 39:softmax_param 31:slice_param
    37:tanh_param:TanHParameter 25:threshold_param 20:window_data_param
    36:transform_param:TransformationParameter 42:loss_param 1:layer:V0LayerParameter
LayerParameter 1:name:s 2:type:s 3:bottom[]:s 4:top[]:s 10:phase:Phase 5:loss_weight[]:f
    6:param[]:ParamSpec 7:blobs[]:BlobProto 11:propagate_down[]:b 8:include[]:NetStateRule
    9:exclude[]:NetStateRule 100:transform_param:TransformationParameter 101:loss_param
    102:accuracy_param 103:argmax_param:ArgMaxParameter 139:batch_norm_param 141:bias_param
    148:clip_param 104:concat_param 105:contrastive_loss_param 106:convolution_param
    144:crop_param 107:data_param 108:dropout_param 109:dummy_data_param 110:eltwise_param
    140:elu_param:ELUParameter 137:embed_param 111:exp_param 135:flatten_param
    112:hdf5_data_param:HDF5DataParameter 113:hdf5_output_param:HDF5OutputParameter
    114:hinge_loss_param 115:image_data_param 116:infogain_loss_param 117:inner_product_param
    143:input_param 134:log_param 118:lrn_param:LRNParameter 119:memory_data_param
    120:mvn_param:MVNParameter 145:parameter_param 121:pooling_param 122:power_param
    131:prelu_param:PReLUParameter 130:python_param 136:reduction_param
    123:relu_param:ReLUParameter 133:reshape_param 142:scale_param 124:sigmoid_param
    125:softmax_param 132:spp_param:SPPParameter 126:slice_param 147:swish_param
    127:tanh_param:TanHParameter 128:threshold_param 138:tile_param 129:window_data_param
NetParameter 1:name:s 3:input[]:s 8:input_shape[]:BlobShape 4:input_dim[]:i 5:force_backward:b
    6:state:NetState 7:debug_info:b 100:layer[]:LayerParameter 2:layers[]:V1LayerParameter
"""

PLAIN = {"s": "STRING", "i": "INT32", "f": "FLOAT", "b": "BOOL", "bytes": "BYTES", "int64": "INT64"}


@cache
def net_parameter() -> Any:
    """The class of the message NetParameter, a whole network."""
    return _classes()["jconv_caffe.NetParameter"]


@cache
def _classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(
        name="jconv_caffe.proto", package="jconv_caffe", syntax="proto2"
    )
    for name, values in ENUMS.items():
        # values of one package may not be called alike: each enum lies in a message of its own
        enum = file.message_type.add(name=f"{name}Values").enum_type.add(name=name)
        for value, number in values.items():
            enum.value.add(name=value, number=int(number))
    message = None
    for line in MESSAGES.strip().splitlines():
        words = line.split()
        if not line.startswith(" "):
            message = file.message_type.add(name=words.pop(0))
        assert message is not None
        for word in words:
            _add_field(message, word)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = pool.FindFileByName("jconv_caffe.proto")
    return {
        message.full_name: message_factory.GetMessageClass(message)
        for message in found.message_types_by_name.values()
    }


def _add_field(message: Any, word: str) -> None:
    number, name, *kind = word.split(":")
    repeats = name.endswith("[]")
    name = name.removesuffix("[]")
    # convolution_param is a ConvolutionParameter
    kind = kind[0] if kind else "".join(map(str.title, name.split("_")))[:-5] + "Parameter"
    known = descriptor_pb2.FieldDescriptorProto
    added = message.field.add(
        name=name,
        number=int(number),
        label=known.LABEL_REPEATED if repeats else known.LABEL_OPTIONAL,
    )
    if kind in PLAIN:
        added.type = getattr(known, f"TYPE_{PLAIN[kind]}")
    elif kind in ENUMS:
        added.type, added.type_name = known.TYPE_ENUM, f".jconv_caffe.{kind}Values.{kind}"
    else:
        added.type, added.type_name = known.TYPE_MESSAGE, f".jconv_caffe.{kind}"
    if kind == "int64":
        added.options.packed = True
