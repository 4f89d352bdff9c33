use expect_test::{Expect, expect};

use crate::load::{File, load};

const DECLARED: &str = "-- tt-waive: do-block the names are in a table\n";

/// What is found in the last of these ways up.
fn check(ups: &[&str], expected: &Expect) {
    let files = ups.iter().zip(1..).flat_map(|(up, version)| {
        [
            File::new(
                format!("{version:04}_x.up.sql"),
                format!("-- tt: phase=expand\n{DECLARED}{up}"),
            ),
            File::new(format!("{version:04}_x.down.sql"), "-- tt: phase=expand\n"),
        ]
    });
    let migrations = load(files).unwrap();
    let last = migrations.iter().next_back().unwrap();
    let findings: Vec<String> = super::check(&last.up, last.phase, migrations.before(last.version))
        .iter()
        .map(|finding| format!("{} {}: {}", finding.line, finding.rule, finding.message))
        .collect();
    expected.assert_eq(&findings.join("\n"));
}

#[test]
fn what_stands_in_a_block_is_judged_as_if_it_stood_in_the_file() {
    check(
        &[
            "do $$\nbegin\n  if true then\n    update t set a = case when b then 1 else 2 end;\n  end if;\n  create index i on t (a);\nend $$",
        ],
        &expect![[r"
            6 whole-table-write: this locks every row of t until the file is done
            8 blocking-work: this reads all of t while writers wait"]],
    );
    check(
        &[
            "do $body$\ndeclare\n  lock boolean;\nbegin\n  for r in update t set a = 1 returning id loop\n    delete from u where id = r.id;\n  end loop;\n  return query delete from v;\nend $body$ language plpgsql",
        ],
        &expect![[r"
            7 whole-table-write: this locks every row of t until the file is done
            10 whole-table-write: this locks every row of v until the file is done"]],
    );
    check(
        &["do $$ begin create table n (id int); create index on n (id); update n set id = 1; end $$"],
        &expect![""],
    );
    check(
        &[
            "do $$ begin create trigger x after insert on t for each row execute function f(); grant execute on function f to u; perform 1 from t for update; end $$",
        ],
        &expect![""],
    );
}

#[test]
fn what_cannot_be_read_is_named() {
    for (body, expected) in [
        (
            "do $$ begin\nfor r in select * from names loop\n  execute format('drop table %I', r.name);\nend loop; end $$",
            expect!["5 dynamic-sql: what EXECUTE runs cannot be seen before it runs"],
        ),
        (
            "do $$ begin return query execute 'select ' || 1; end $$",
            expect!["3 dynamic-sql: what EXECUTE runs cannot be seen before it runs"],
        ),
        (
            "do 'begin execute ''drop table t''; end'",
            expect!["3 dynamic-sql: what stands in quotes with escapes in them cannot be seen before it runs"],
        ),
        (
            "do language plpython3u $$ plpy.execute('drop table t') $$",
            expect!["3 dynamic-sql: what is written in plpython3u cannot be seen before it runs"],
        ),
        (
            "do $a$ begin do $b$ begin drop table t; end $b$; end $a$",
            expect!["3 dynamic-sql: what stands in a body within a body cannot be seen before it runs"],
        ),
        (
            "create function f() returns void language plpgsql as $$\nbegin execute 'x'; end $$",
            expect!["4 dynamic-sql: what EXECUTE runs cannot be seen before it runs"],
        ),
        (
            "call tidy(1)",
            expect!["3 dynamic-sql: what the procedure tidy does is not in these files"],
        ),
    ] {
        check(&[body], &expected);
    }
    check(
        &["-- tt-waive: dynamic-sql one statement for each of the partitions\ndo $$ begin execute 'x'; end $$"],
        &expect![""],
    );
}

#[test]
fn a_call_is_followed_into_the_file_that_creates_the_routine() {
    const CLEAR: &str = "create function clear() returns void language sql as 'delete from t';\ncreate procedure all_of_it() language plpgsql as $$ begin perform clear(); end $$";
    check(&[CLEAR], &expect![""]);
    check(
        &[CLEAR, "select clear()"],
        &expect![
            "3 whole-table-write: this locks every row of t until the file is done (in clear, which is called here)"
        ],
    );
    check(
        &[CLEAR, "call all_of_it()"],
        &expect![
            "3 whole-table-write: this locks every row of t until the file is done (in clear, which is called here)"
        ],
    );
    check(
        &[
            CLEAR,
            "create or replace function clear() returns void language sql as 'delete from t where false'",
            "select clear()",
        ],
        &expect![""],
    );
    check(
        &[
            "-- tt-waive: dynamic-sql only the service calls it\ncreate function f() returns void language plpgsql as $$ begin execute 'x'; end $$",
            "select public.f()",
        ],
        &expect!["3 dynamic-sql: what EXECUTE runs cannot be seen before it runs (in f, which is called here)"],
    );
    check(
        &["create function f() returns void language sql begin atomic delete from t; end; select f()"],
        &expect!["3 whole-table-write: this locks every row of t until the file is done (in f, which is called here)"],
    );
    check(
        &["create function f() returns void language sql as 'select f()'; select f(); select count(*) from t"],
        &expect![""],
    );
}
