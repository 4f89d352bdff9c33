//! What to do: a pure planner for deploys and rollbacks.
