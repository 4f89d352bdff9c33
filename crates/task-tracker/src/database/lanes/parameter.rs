//! What a statement takes. Each value says its type, so that a statement is read as it is meant wherever PostgreSQL would guess.

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use tokio_postgres::types::{Json, ToSql, Type};
use uuid::Uuid;

/// A value for `$n`.
pub(crate) trait Parameter: Send + Sync {
    /// As PostgreSQL calls its type.
    fn kind(&self) -> Type;
    /// As it is sent.
    fn value(&self) -> &(dyn ToSql + Sync);
}

/// A Rust type that is one type of PostgreSQL's.
pub(crate) trait Known {
    /// That type.
    const KIND: Type;
}

impl<T: Known + ToSql + Send + Sync> Parameter for T {
    fn kind(&self) -> Type {
        T::KIND
    }

    fn value(&self) -> &(dyn ToSql + Sync) {
        self
    }
}

impl<T: Known> Known for Option<T> {
    const KIND: Type = T::KIND;
}

impl<T: Serialize> Known for Json<T> {
    const KIND: Type = Type::JSONB;
}

macro_rules! known {
    ($($rust:ty => $kind:ident),+ $(,)?) => {
        $(impl Known for $rust {
            const KIND: Type = Type::$kind;
        })+
    };
}

known! {
    bool => BOOL,
    i16 => INT2,
    i32 => INT4,
    i64 => INT8,
    f64 => FLOAT8,
    &str => TEXT,
    String => TEXT,
    &[u8] => BYTEA,
    Vec<u8> => BYTEA,
    Uuid => UUID,
    OffsetDateTime => TIMESTAMPTZ,
    Value => JSONB,
    Vec<i64> => INT8_ARRAY,
    Vec<Option<i64>> => INT8_ARRAY,
    Vec<&str> => TEXT_ARRAY,
    Vec<String> => TEXT_ARRAY,
    Vec<Uuid> => UUID_ARRAY,
}
