"""Results of a clip for people: the HTML report and the plot."""
