//! How the row of a table becomes JSON: each noun lists its columns once, in the order in which clients see them.
//!
//! Never says which rows.

/// A JSON object of a row's columns, by their names; `name = sql` is for what stands somewhere else or is made up of several.
macro_rules! object {
    ($row:literal, $first:ident $(, $name:ident $(= $value:expr)?)* $(,)?) => {
        concat!(
            "jsonb_build_object('",
            stringify!($first),
            "', ",
            $row,
            ".",
            stringify!($first),
            $(crate::row::field!($row, $name $(= $value)?),)*
            ")"
        )
    };
}
pub(crate) use object;

macro_rules! field {
    ($row:literal, $name:ident) => {
        concat!(", '", stringify!($name), "', ", $row, ".", stringify!($name))
    };
    ($row:literal, $name:ident = $value:expr) => {
        concat!(", '", stringify!($name), "', ", $value)
    };
}
pub(crate) use field;
