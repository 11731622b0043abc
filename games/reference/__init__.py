"""The reference game: one describes a picture of five by five cells so that another can tell it from two others."""
