//! The hosted task service: axum on PostgreSQL.
