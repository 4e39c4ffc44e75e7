"""The public API, and what rmlr-predict and rmlr-export do with it."""

# The model that ships with the package; a folder of this name is given as ./rmlr-synthetic
SHIPPED = "rmlr-synthetic"
