//! Walks a plan through ports and reports what happened as events.
