//! A steady mixed load on the task API whose every acknowledged write is read back.
