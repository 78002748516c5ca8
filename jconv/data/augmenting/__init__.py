"""The operations that augmentation.py is made of."""
