"""A box-level 3-D world: people, furniture and things without pixels, whose relations are true by construction.

`scene` draws a world, `body` and `hands` pose the people in it, `camera` and `sight` look at it, `truth` says which relations
hold, `detections` spoils the boxes the way a detector does, `clips` sets it all in motion. numpy only, many scenes at once.

Shape suffixes used here: S scenes, Q people (2), T things (20), A hands (2: right, left), J body spheres (27), G grid points of a
box (27), N entity slots, 3 = (x, y, z) in metres with z up. Person 0 stands at the origin and faces +x.
"""
