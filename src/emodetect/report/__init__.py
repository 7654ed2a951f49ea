"""Results of a clip for users: the HTML report and the plot."""
