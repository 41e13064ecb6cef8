"""ProxVP: proximal variable projection. A proximal centre around the network, its linear head projected out as a convex problem."""
