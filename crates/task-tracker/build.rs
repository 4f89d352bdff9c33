//! Rebuilds the crate when a migration is added or removed: `sqlx::migrate!` by itself only notices edits of files it already knows.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
