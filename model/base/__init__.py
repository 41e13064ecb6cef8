"""`base`, the network at the paper's size: CLIP towers, a query decoder, and the scene head that every size shares."""
