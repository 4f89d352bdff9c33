//! The statements of the definitions that follow the data, and what each needs: indexes of several tables are built at once. Pure.
//!
//! Only the few forms are told apart that take long. Whatever else there is keeps its place: everything before it has ended by then.

use std::iter::Peekable;

use crate::order::{Access, Needs};
use crate::token::{Span, Token, span, tokens};

/// A statement that can be run by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    /// With the settings that hold at its place in the script.
    pub(crate) text: String,
    /// Its first words, for people.
    pub(crate) title: String,
    pub(crate) needs: Needs,
}

/// How much of a statement names it.
const TITLE: usize = 90;

/// The statements of a script, in their order; comments on objects, which nothing depends on, come last.
pub(crate) fn statements(script: &str) -> Vec<Statement> {
    let Some(texts) = split(script) else {
        return vec![statement(script, &[])];
    };
    let mut settings: Vec<(String, &str)> = Vec::new();
    let (mut statements, mut comments) = (Vec::new(), Vec::new());
    for text in texts {
        if let Some(name) = setting(text) {
            settings.retain(|(other, _)| *other != name);
            settings.push((name, text));
        } else if tokens(text).next() == Some(Token::word("COMMENT")) {
            comments.push(statement(text, &settings));
        } else {
            statements.push(statement(text, &settings));
        }
    }
    statements.append(&mut comments);
    statements
}

fn statement(text: &str, settings: &[(String, &str)]) -> Statement {
    let mut whole = String::new();
    for (_, setting) in settings {
        whole.push_str(setting);
        whole.push('\n');
    }
    whole.push_str(text);
    let mut title: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if title.chars().count() > TITLE {
        title = title.chars().take(TITLE).chain(['…']).collect();
    }
    Statement {
        text: whole,
        title,
        needs: needs(text).unwrap_or(Needs::Everything),
    }
}

/// What it sets, if it sets something for those that follow.
fn setting(text: &str) -> Option<String> {
    let mut tokens = tokens(text);
    match tokens.next()? {
        word if word == Token::word("SET") => match tokens.next()? {
            Token::Name(name) => Some(name.join(".")),
            Token::Sign(_) | Token::Text(_) => None,
        },
        word if word == Token::word("SELECT") => {
            let is_set = tokens.next()? == Token::Name(vec!["pg_catalog".to_owned(), "set_config".to_owned()]);
            match (is_set, tokens.nth(1)?) {
                (true, Token::Text(name)) => Some(name),
                (true | false, _) => None,
            }
        }
        _ => None,
    }
}

/// Nothing where it is none of the forms that are known.
fn needs(text: &str) -> Option<Needs> {
    let mut tokens = tokens(text).peekable();
    match tokens.next()? {
        word if word == Token::word("CREATE") => {
            skip(&mut tokens, "UNIQUE");
            expect(&mut tokens, "INDEX")?;
            name(&mut tokens)?;
            expect(&mut tokens, "ON")?;
            skip(&mut tokens, "ONLY");
            Some(Needs::Tables(vec![(name(&mut tokens)?, Access::Build)]))
        }
        word if word == Token::word("ALTER") => {
            expect(&mut tokens, "TABLE")?;
            // Without it, partitions are changed too, which this does not know.
            expect(&mut tokens, "ONLY")?;
            let table = name(&mut tokens)?;
            expect(&mut tokens, "ADD")?;
            expect(&mut tokens, "CONSTRAINT")?;
            name(&mut tokens)?;
            match tokens.next()? {
                word if ["PRIMARY", "UNIQUE", "EXCLUDE"].map(Token::word).contains(&word) => {
                    Some(Needs::Tables(vec![(table, Access::Alter)]))
                }
                word if word == Token::word("FOREIGN") => {
                    let mut tokens = tokens.skip_while(|token| *token != Token::Sign(')')).skip(1).peekable();
                    expect(&mut tokens, "REFERENCES")?;
                    let other = name(&mut tokens)?;
                    Some(Needs::Tables(vec![(table, Access::Link), (other, Access::Link)]))
                }
                _ => None,
            }
        }
        _ => None,
    }
}

fn skip(tokens: &mut Peekable<impl Iterator<Item = Token>>, word: &str) {
    tokens.next_if_eq(&Token::word(word));
}

fn expect(tokens: &mut Peekable<impl Iterator<Item = Token>>, word: &str) -> Option<()> {
    tokens.next_if_eq(&Token::word(word)).map(drop)
}

fn name(tokens: &mut Peekable<impl Iterator<Item = Token>>) -> Option<String> {
    match tokens.next()? {
        Token::Name(parts) => Some(key(&parts)),
        Token::Sign(_) | Token::Text(_) => None,
    }
}

/// A table's name as [`Needs`] has it, from the text that SQL needs. One and the same however much of it is quoted.
pub(crate) fn table_key(quoted: &str) -> String {
    match tokens(quoted).next() {
        Some(Token::Name(parts)) => key(&parts),
        Some(Token::Sign(_) | Token::Text(_)) | None => quoted.to_owned(),
    }
}

fn key(parts: &[String]) -> String {
    parts.join("\0")
}

/// Cuts at semicolons that end a statement; those inside brackets, as in a rule, do not. Nothing when the script has a function whose body
/// is statements, since its semicolons look the same.
fn split(script: &str) -> Option<Vec<&str>> {
    let (mut from, mut rest, mut depth) = (0, script, 0_usize);
    let mut statements = Vec::new();
    let mut begun = Span::Blank;
    while let Some((found, after)) = span(rest) {
        rest = after;
        match &found {
            Span::Blank => continue,
            Span::Sign('(') => depth += 1,
            Span::Sign(')') => depth = depth.saturating_sub(1),
            Span::Sign(';') if depth == 0 => {
                let end = script.len() - rest.len();
                statements.extend(trimmed(&script[from..end]));
                from = end;
            }
            Span::Name(word) if word == "ATOMIC" && begun == Span::Name("BEGIN".to_owned()) => return None,
            Span::Name(_) | Span::Sign(_) | Span::Text(_) => {}
        }
        begun = found;
    }
    statements.extend(trimmed(&script[from..]));
    Some(statements)
}

/// Without the blanks before it; nothing when there is nothing else.
fn trimmed(statement: &str) -> Option<&str> {
    let mut rest = statement;
    while let Some((Span::Blank, after)) = span(rest) {
        rest = after;
    }
    (!rest.is_empty()).then_some(rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn on(table: &str, access: Access) -> (String, Access) {
        (table_key(table), access)
    }

    #[test]
    fn what_takes_long_says_which_tables_it_needs() {
        let build = |table| Some(Needs::Tables(vec![on(table, Access::Build)]));
        let alter = |table| Some(Needs::Tables(vec![on(table, Access::Alter)]));
        let odd = "\"Odd \"\"names\"\"\".\"Tab\tle\"";
        let cases = [
            ("CREATE INDEX i ON public.t USING btree (a);", build("public.t")),
            (
                "CREATE UNIQUE INDEX \"i;\" ON ONLY public.\"t\" USING btree (a);",
                build("public.t"),
            ),
            (&format!("CREATE INDEX i ON {odd} USING gin (b);"), build(odd)),
            (
                "ALTER TABLE ONLY public.t\n    ADD CONSTRAINT \"t pkey\" PRIMARY KEY (a);",
                alter("public.t"),
            ),
            (
                "ALTER TABLE ONLY public.t ADD CONSTRAINT u UNIQUE (a);",
                alter("public.t"),
            ),
            (
                "ALTER TABLE ONLY public.t ADD CONSTRAINT e EXCLUDE USING gist (r WITH &&);",
                alter("public.t"),
            ),
            (
                "ALTER TABLE ONLY a.t ADD CONSTRAINT f FOREIGN KEY (\"x)\", y) REFERENCES b.u(id) ON DELETE CASCADE;",
                Some(Needs::Tables(vec![on("a.t", Access::Link), on("b.u", Access::Link)])),
            ),
            (
                "ALTER TABLE public.p ADD CONSTRAINT f FOREIGN KEY (x) REFERENCES b.u(id);",
                None,
            ),
            ("ALTER TABLE ONLY public.t REPLICA IDENTITY USING INDEX i;", None),
            ("ALTER INDEX public.i ATTACH PARTITION public.j;", None),
            (
                "CREATE TRIGGER x BEFORE INSERT ON public.t FOR EACH ROW EXECUTE FUNCTION f();",
                None,
            ),
            ("CREATE STATISTICS public.s ON a, b FROM public.t;", None),
        ];
        for (text, expected) in cases {
            assert_eq!(needs(text), expected, "{text}");
        }
    }

    #[test]
    fn a_script_is_cut_where_its_statements_end_and_its_settings_go_with_each() {
        let script = "--\n-- PostgreSQL database dump; x\n--\n\nSET lock_timeout = 0;\nSELECT pg_catalog.set_config('search_path', '', false);\n\
             SET default_tablespace = '';\nCREATE INDEX i ON s.t USING btree (a) WHERE (b = 'it''s; one');\n\
             COMMENT ON INDEX s.i IS E'a\\'; b';\nSET default_tablespace = fast;\n/* ; /* ; */ ; */\n\
             CREATE RULE r AS ON INSERT TO s.t DO (DELETE FROM s.u; SELECT $q$ ; $q$);\n-- the end;\n";
        let found = statements(script);
        let titles: Vec<&str> = found.iter().map(|statement| statement.title.as_str()).collect();
        assert_eq!(
            titles,
            [
                "CREATE INDEX i ON s.t USING btree (a) WHERE (b = 'it''s; one');",
                "CREATE RULE r AS ON INSERT TO s.t DO (DELETE FROM s.u; SELECT $q$ ; $q$);",
                "COMMENT ON INDEX s.i IS E'a\\'; b';",
            ]
        );
        let settings = |at: usize| found[at].text.split_once("\nC").map(|(settings, _)| settings).unwrap();
        let before =
            "SET lock_timeout = 0;\nSELECT pg_catalog.set_config('search_path', '', false);\nSET default_tablespace = ";
        assert_eq!(settings(0), format!("{before}'';"));
        assert_eq!(settings(1), format!("{before}fast;"));
        assert_eq!(settings(2), format!("{before}'';"));
    }

    #[test]
    fn a_function_of_statements_keeps_the_script_whole() {
        let script = "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC\n SELECT 1; SELECT 2;\nEND;\nCREATE INDEX i ON s.t USING btree (a);";
        let found = statements(script);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].text.as_str(), &found[0].needs), (script, &Needs::Everything));
    }

    proptest! {
        #[test]
        fn nothing_of_a_script_is_lost_whatever_it_holds(script in "[-a-zE'\"$();*/.\\\\ \nü]{0,60}") {
            if let Some(cut) = split(&script) {
                let whole: Vec<Token> = tokens(&script).collect();
                let pieces: Vec<Token> = cut.into_iter().flat_map(tokens).collect();
                prop_assert_eq!(pieces, whole);
            }
            statements(&script);
        }
    }
}
