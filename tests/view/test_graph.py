from jconv import (
    BatchNorm,
    Concat,
    Conv,
    Dense,
    Flatten,
    MaxPool,
    Relu,
    Repeat,
    Residual,
    Sequential,
    Tap,
)
from jconv.view.graph import arranged, boxes_of

INPUT = (8, 6, 3)


def chain(count: int) -> Sequential:
    return Sequential(*[Conv(4, 3, padding=1) for _ in range(count)])


def test_a_chain_is_a_box_a_layer_and_pointwise_layers_stand_in_the_box_before():
    net = Sequential(
        conv=Conv(4, 3), bn=BatchNorm(), relu=Relu(), pool=MaxPool(2), flat=Flatten(), fc=Dense(5)
    )
    boxes = boxes_of(net, INPUT)
    assert [(b.path, b.kind, b.shape, b.then) for b in boxes] == [
        ("input", "image", (8, 6, 3), ()),
        ("conv", "Conv 3×3", (6, 4, 4), ("BatchNorm", "Relu")),
        ("pool", "MaxPool 2×2", (3, 2, 4), ()),
        ("flat", "Flatten", (24,), ()),
        ("fc", "Dense", (5,), ()),
    ]
    assert [b.sources for b in boxes] == [(), (0,), (1,), (2,), (3,)]


def test_a_pointwise_layer_whose_input_is_used_twice_has_a_box_of_its_own():
    body = Sequential(relu=Relu(), conv=Conv(3, 3, padding=1))
    net = Sequential(conv=Conv(3, 1), block=Residual(body, then=Relu()))
    boxes = boxes_of(net, INPUT)
    assert [b.path for b in boxes] == [
        "input",
        "conv",
        "block/body/relu",
        "block/body/conv",
        "block",
    ]
    assert boxes[-1].kind == "+" and boxes[-1].sources == (3, 1) and boxes[-1].then == ("Relu",)


def test_branches_have_a_lane_each_and_a_shortcut_passes_in_one_of_its_own():
    net = Sequential(
        cat=Concat(a=Conv(2, 1), b=Sequential(x=Conv(3, 1), y=Conv(4, 3, padding=1))),
        block=Residual(Conv(6, 3, padding=1)),
    )
    boxes, places = arranged(boxes_of(net, INPUT), 99)
    at = {box.path: place for box, place in zip(boxes, places, strict=True) if not box.bypass}
    assert at["cat/a"] == (0, 1, 0) and at["cat/b/x"] == (0, 1, 1) and at["cat/b/y"] == (0, 2, 1)
    assert at["cat"] == (0, 3, 0) and at["block/body"] == (0, 4, 0) and at["block"] == (0, 5, 0)
    passing = [place for box, place in zip(boxes, places, strict=True) if box.bypass]
    assert passing == [(0, 2, 0), (0, 4, 1)]


def test_rows_end_where_everything_goes_through_one_box():
    boxes, places = arranged(boxes_of(chain(9), INPUT), 4)
    assert [(p.row, p.column) for p in places] == [
        (row, column) for row, count in enumerate((4, 4, 2)) for column in range(count)
    ]
    net = Sequential(a=chain(2), block=Residual(chain(3)), b=chain(2))
    boxes, places = arranged(boxes_of(net, INPUT), 4)
    rows = {box.path: p.row for box, p in zip(boxes, places, strict=True) if not box.bypass}
    inside = {rows[f"block/body/conv{i}"] for i in (1, 2, 3)} | {rows["block"]}
    assert len(inside) == 1, "a row ends inside a block"


def test_no_two_boxes_stand_in_one_place():
    net = Sequential(
        a=Concat(x=Conv(2, 1), y=chain(2), z=Residual(chain(2), Conv(4, 1))),
        b=Residual(chain(3), Conv(4, 1)),
        c=chain(4),
    )
    _, places = arranged(boxes_of(net, INPUT), 5)
    assert len(set(places)) == len(places)


def test_a_head_for_training_alone_is_aside_and_leaves_the_first_lane_to_the_rest():
    head = Sequential(flat=Flatten(), fc=Dense(2))
    net = Sequential(tap=Tap("aux", head, train_only=True), conv=Conv(4, 3), more=Conv(4, 3))
    boxes, places = arranged(boxes_of(net, INPUT), 99)
    found = {box.path: (box.aside, p.lane) for box, p in zip(boxes, places, strict=True)}
    assert found["tap/body/fc"] == (True, 1) and found["more"] == (False, 0)


def test_a_loop_is_one_box_that_says_how_often():
    boxes = boxes_of(Sequential(loop=Repeat(Conv(3, 3, padding=1), 4)), INPUT)
    assert [(box.path, box.times) for box in boxes] == [("input", 1), ("loop/layer", 4)]
