//! SQL as a row of words: comments and white space are gone, statements are told apart.
//!
//! Knows PostgreSQL's quoting (`squawk-lexer` does) and where a statement ends, and no grammar beyond that.

use squawk_lexer::{LiteralKind, TokenKind, tokenize};

use crate::relation::Relation;

/// What a word is to whoever reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A keyword or a name; folded to lower case by PostgreSQL.
    Bare,
    /// A name in double quotes.
    Quoted,
    /// Any constant.
    Constant,
    /// Punctuation.
    Sign,
}

/// One word, with its place in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word<'s> {
    pub(crate) kind: Kind,
    pub(crate) text: &'s str,
    /// Where it begins, in bytes.
    pub(crate) start: usize,
}

impl Word<'_> {
    pub(crate) fn is(&self, keyword: &str) -> bool {
        self.kind == Kind::Bare && self.text.eq_ignore_ascii_case(keyword)
    }

    pub(crate) fn is_sign(&self, sign: &str) -> bool {
        self.kind == Kind::Sign && self.text == sign
    }

    pub(crate) fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// The identifier it spells, if it is one.
    pub(crate) fn identifier(&self) -> Option<String> {
        match self.kind {
            Kind::Bare => Some(self.text.to_lowercase()),
            Kind::Quoted => {
                let inner = self.text.strip_prefix('"')?.strip_suffix('"')?;
                Some(inner.replace("\"\"", "\""))
            }
            Kind::Constant | Kind::Sign => None,
        }
    }
}

/// A comment, without its marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Comment<'s> {
    pub(crate) text: &'s str,
    pub(crate) start: usize,
}

/// A text cut into words, and its line comments beside them.
#[derive(Debug, Default)]
pub(crate) struct Cut<'s> {
    pub(crate) words: Vec<Word<'s>>,
    pub(crate) comments: Vec<Comment<'s>>,
    /// Where a quote or a comment opens that never closes.
    pub(crate) unterminated: Option<usize>,
}

pub(crate) fn cut(text: &str) -> Cut<'_> {
    let mut cut = Cut::default();
    let mut start = 0;
    for token in tokenize(text) {
        let end = start + token.len as usize;
        let Some(slice) = text.get(start..end) else { break };
        if unterminated(token.kind) {
            cut.unterminated.get_or_insert(start);
        }
        match kind(token.kind) {
            Some(kind) => cut.words.push(Word {
                kind,
                text: slice,
                start,
            }),
            None => {
                if let Some(comment) = slice.strip_prefix("--") {
                    cut.comments.push(Comment { text: comment, start });
                }
            }
        }
        start = end;
    }
    cut
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "what is neither a name, a constant nor a gap is punctuation, whatever the lexer learns"
)]
fn kind(token: TokenKind) -> Option<Kind> {
    match token {
        TokenKind::Whitespace | TokenKind::LineComment | TokenKind::BlockComment { .. } | TokenKind::Eof => None,
        TokenKind::Ident => Some(Kind::Bare),
        TokenKind::QuotedIdent { .. } => Some(Kind::Quoted),
        TokenKind::Literal { .. } | TokenKind::PositionalParam { .. } => Some(Kind::Constant),
        _ => Some(Kind::Sign),
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "only quotes and block comments can stay open"
)]
fn unterminated(token: TokenKind) -> bool {
    match token {
        TokenKind::BlockComment { terminated } | TokenKind::QuotedIdent { terminated, .. } => !terminated,
        TokenKind::Literal { kind } => match kind {
            LiteralKind::Str { terminated }
            | LiteralKind::NationalStr { terminated }
            | LiteralKind::ByteStr { terminated }
            | LiteralKind::BitStr { terminated }
            | LiteralKind::DollarQuotedString { terminated }
            | LiteralKind::UnicodeEscStr { terminated }
            | LiteralKind::EscStr { terminated } => !terminated,
            LiteralKind::Int { .. } | LiteralKind::Numeric { .. } => false,
        },
        _ => false,
    }
}

/// The words of each statement.
pub(crate) fn statements<'w, 's>(words: &'w [Word<'s>]) -> Vec<&'w [Word<'s>]> {
    let mut found = Vec::new();
    let mut rest = words;
    while !rest.is_empty() {
        let statement = first_statement(rest);
        if !statement.is_empty() {
            found.push(statement);
        }
        rest = rest.get(statement.len() + 1..).unwrap_or_default();
    }
    found
}

/// The words up to the first `;` that ends a statement, or all of them. A `;` ends none in parentheses
/// (`create rule … do (…; …)`) and in a function's `begin atomic … end`.
pub(crate) fn first_statement<'w, 's>(words: &'w [Word<'s>]) -> &'w [Word<'s>] {
    let mut depth = 0usize;
    let mut atomic = 0usize;
    for (at, word) in words.iter().enumerate() {
        let after_begin = at > 0 && words.get(at - 1).is_some_and(|before| before.is("begin"));
        if word.is_sign("(") {
            depth += 1;
        } else if word.is_sign(")") {
            depth = depth.saturating_sub(1);
        } else if (after_begin && word.is("atomic")) || (atomic > 0 && word.is("case")) {
            atomic += 1;
        } else if atomic > 0 && word.is("end") {
            atomic -= 1;
        } else if word.is_sign(";") && depth == 0 && atomic == 0 {
            return words.get(..at).unwrap_or_default();
        }
    }
    words
}

/// The line, from 1, on which a byte stands.
pub(crate) fn line(text: &str, at: usize) -> usize {
    let before = text.as_bytes().get(..at).unwrap_or(text.as_bytes());
    before.split(|byte| *byte == b'\n').count()
}

/// Reads words from the left.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'w, 's> {
    words: &'w [Word<'s>],
    at: usize,
}

impl<'w, 's> Reader<'w, 's> {
    pub(crate) fn new(words: &'w [Word<'s>]) -> Self {
        Self { words, at: 0 }
    }

    pub(crate) fn peek(&self) -> Option<&'w Word<'s>> {
        self.words.get(self.at)
    }

    pub(crate) fn rest(&self) -> &'w [Word<'s>] {
        self.words.get(self.at..).unwrap_or_default()
    }

    pub(crate) fn skip(&mut self) {
        self.at += 1;
    }

    /// Takes these keywords if all of them come next.
    pub(crate) fn take(&mut self, keywords: &[&str]) -> bool {
        let next = self.rest();
        let fits = next.len() >= keywords.len() && keywords.iter().zip(next).all(|(keyword, word)| word.is(keyword));
        if fits {
            self.at += keywords.len();
        }
        fits
    }

    pub(crate) fn take_sign(&mut self, sign: &str) -> bool {
        let fits = self.peek().is_some_and(|word| word.is_sign(sign));
        if fits {
            self.at += 1;
        }
        fits
    }

    pub(crate) fn identifier(&mut self) -> Option<String> {
        let name = self.peek()?.identifier()?;
        self.at += 1;
        Some(name)
    }

    pub(crate) fn relation(&mut self) -> Option<Relation> {
        let mut parts = vec![self.identifier()?];
        while self.take_sign(".") {
            parts.push(self.identifier()?);
        }
        let name = parts.pop()?;
        Some(Relation::new(parts.pop(), name))
    }

    /// Names with commas between them.
    pub(crate) fn relations(&mut self) -> Vec<Relation> {
        let mut found = Vec::new();
        loop {
            self.take(&["only"]);
            let Some(relation) = self.relation() else { break };
            found.push(relation);
            self.take_sign("*");
            if !self.take_sign(",") {
                break;
            }
        }
        found
    }
}

/// The words outside any parentheses, with their positions.
pub(crate) fn outside<'w, 's>(words: &'w [Word<'s>]) -> impl Iterator<Item = (usize, &'w Word<'s>)> {
    let mut depth = 0usize;
    words.iter().enumerate().filter(move |(_, word)| {
        if word.is_sign("(") || word.is_sign("[") {
            depth += 1;
            return false;
        }
        if word.is_sign(")") || word.is_sign("]") {
            depth = depth.saturating_sub(1);
            return false;
        }
        depth == 0
    })
}

/// Cuts at the commas outside any parentheses.
pub(crate) fn by_commas<'w, 's>(words: &'w [Word<'s>]) -> Vec<&'w [Word<'s>]> {
    let mut parts = Vec::new();
    let mut first = 0;
    for (at, _) in outside(words).filter(|(_, word)| word.is_sign(",")) {
        parts.extend(words.get(first..at));
        first = at + 1;
    }
    parts.extend(words.get(first..));
    parts.retain(|part| !part.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<String> {
        let cut = cut(text);
        statements(&cut.words)
            .iter()
            .map(|words| words.iter().map(|word| word.text).collect::<Vec<_>>().join(" "))
            .collect()
    }

    #[test]
    fn a_statement_ends_where_postgresql_ends_it() {
        for (text, expected) in [
            ("", vec![]),
            (";; -- nothing\n", vec![]),
            ("select 1; select 2", vec!["select 1", "select 2"]),
            ("select ';' ; select $$;$$", vec!["select ';'", "select $$;$$"]),
            ("select /* ; */ 1 -- ;\n", vec!["select 1"]),
            (
                "create rule r as on insert to t do (select 1; select 2); select 3",
                vec!["create rule r as on insert to t do ( select 1 ; select 2 )", "select 3"],
            ),
            (
                "create function f() returns int begin atomic select case when true then 1 end; select 2; end; select 3",
                vec![
                    "create function f ( ) returns int begin atomic select case when true then 1 end ; select 2 ; end",
                    "select 3",
                ],
            ),
        ] {
            assert_eq!(split(text), expected, "{text}");
        }
    }

    #[test]
    fn an_open_quote_is_noticed() {
        for text in ["select 'a", "select $$a", "/* a", "select \"a"] {
            assert!(cut(text).unterminated.is_some(), "{text}");
        }
        assert_eq!(cut("select 'a''b', \"c\"\"d\"").unterminated, None);
    }
}
