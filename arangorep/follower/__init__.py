"""Following a leader: initial synchronisation, tailing, and the applier that runs them."""
