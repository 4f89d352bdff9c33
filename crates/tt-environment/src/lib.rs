//! What we want: one YAML file per environment, typed.
