"""Small heads on the frozen detector's features, taught by rendered pictures: cues of people's bodies, and classes that COCO lacks."""
