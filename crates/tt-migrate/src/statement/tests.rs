//! Also the door for the tests of parts of statements.

use expect_test::{Expect, expect};

use super::*;
use crate::words::{cut, statements};

fn one(text: &str) -> Statement {
    let cut = cut(text);
    Statement::read(text, statements(&cut.words)[0], Depth::File)
}

pub(crate) fn check(text: &str, expected: &Expect) {
    let effects: Vec<String> = one(text)
        .effects()
        .iter()
        .map(|effect| format!("{} {} {:?}", effect.relation, effect.mode, effect.work))
        .collect();
    expected.assert_eq(&effects.join("; "));
}

#[test]
fn statements_take_the_locks_that_the_manual_says() {
    check("create table t (id int)", &expect![""]);
    check(
        "create table t (id int references u (id), foreign key (id) references s.v)",
        &expect!["u SHARE ROW EXCLUSIVE Catalog; s.v SHARE ROW EXCLUSIVE Catalog"],
    );
    check("create index on t (a)", &expect!["t SHARE Scan"]);
    check(
        "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON only s.t (a)",
        &expect!["s.t SHARE UPDATE EXCLUSIVE Scan"],
    );
    check(
        "drop index a, b",
        &expect!["a ACCESS EXCLUSIVE Catalog; b ACCESS EXCLUSIVE Catalog"],
    );
    check(
        "drop index concurrently if exists a",
        &expect!["a SHARE UPDATE EXCLUSIVE Catalog"],
    );
    check(
        "drop table if exists a, \"B c\" cascade",
        &expect!["a ACCESS EXCLUSIVE Catalog; B c ACCESS EXCLUSIVE Catalog"],
    );
    check(
        "reindex (verbose, concurrently) table t",
        &expect!["t SHARE UPDATE EXCLUSIVE Scan"],
    );
    check(
        "create trigger x after insert on t execute function f()",
        &expect!["t SHARE ROW EXCLUSIVE Catalog"],
    );
    check("update t as x set a = 1 where b", &expect!["t ROW EXCLUSIVE Scan"]);
    check(
        "with w as (select 1) delete from t using w",
        &expect!["t ROW EXCLUSIVE Scan"],
    );
    check("vacuum (full, analyze) t", &expect!["t ACCESS EXCLUSIVE Rewrite"]);
    check("comment on table t is 'x'", &expect![""]);
}

#[test]
fn the_condition_of_a_write_is_found() {
    for (text, condition, joins) in [
        ("update t set a = 1", None, false),
        ("update t set a = (select 1 from b where c)", None, false),
        ("update t set a = 1 where b = 2 or c", Some(" b = 2 or c"), false),
        (
            "update t set a = 1 from u where t.id = u.id returning a",
            Some(" t.id = u.id "),
            true,
        ),
        ("delete from t where a", Some(" a"), false),
        ("delete from t using u where a", Some(" a"), true),
    ] {
        let statement = one(text);
        let (Act::Update(write) | Act::Delete(write)) = &statement.act else {
            panic!("{text}: {:?}", statement.act)
        };
        let found = write.condition.clone().map(|range| &statement.text[range]);
        assert_eq!((found, write.joins), (condition, joins), "{text}");
    }
}

#[test]
fn what_postgresql_refuses_in_a_transaction_is_known() {
    for (text, alone) in [
        ("create index concurrently i on t (a)", true),
        ("vacuum t", true),
        ("analyze t", false),
        ("alter table t detach partition u concurrently", true),
        ("refresh materialized view concurrently v", false),
    ] {
        assert_eq!(one(text).stands_alone(), alone, "{text}");
    }
}

#[test]
fn a_write_within_a_query_is_seen() {
    for (text, writes) in [
        (
            "with gone as (delete from t where a returning *) select count(*) from gone",
            true,
        ),
        ("with gone as (delete from t) insert into u select * from gone", true),
        ("with w as (select 1) select * from w for update", false),
        ("with w as (select 1) insert into t select * from w", false),
    ] {
        let act = one(text).act;
        let found = matches!(&act, Act::Delete(write) if write.table.name() == "t" && write.joins);
        assert_eq!((found, act == Act::Rows), (writes, !writes), "{text}: {act:?}");
    }
}

#[test]
fn what_may_lock_unseen_has_the_short_time() {
    for (text, unseen) in [
        ("do $$ begin update t set a = 1 where b; end $$", false),
        ("do $$ begin execute 'x'; end $$", true),
        ("call p()", true),
        ("cluster t", true),
        ("select pg_sleep(1)", false),
        ("insert into t select * from u", false),
        (
            "create function f() returns int language plpgsql as $$ begin execute 'x'; end $$",
            false,
        ),
    ] {
        assert_eq!(one(text).may_lock_unseen(), unseen, "{text}");
    }
}
