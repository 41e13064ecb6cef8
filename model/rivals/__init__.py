"""Other people's ideas for predicates, reimplemented as parts that fit the same trunk, data, seeds and steps: for comparison only."""
