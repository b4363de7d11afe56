"""Numbers in few bits: their numerics, their storage, the layers and the states that hold them."""
