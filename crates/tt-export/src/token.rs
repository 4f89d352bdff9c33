//! As much of PostgreSQL's lexical structure as it takes to see where a statement ends and which tables it names (PostgreSQL documentation,
//! "Lexical Structure"). Pure; takes any text.

use std::iter::Peekable;
use std::str::CharIndices;

/// As much of SQL as a name, a bracket and a literal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    /// A keyword, or a name with what qualifies it, unquoted.
    Name(Vec<String>),
    Sign(char),
    Text(String),
}

impl Token {
    pub(crate) fn word(word: &str) -> Self {
        Self::Name(vec![word.to_owned()])
    }
}

pub(crate) fn tokens(text: &str) -> impl Iterator<Item = Token> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let (found, after) = span(rest)?;
            rest = after;
            match found {
                Span::Blank => {}
                Span::Name(part) => {
                    let mut parts = vec![part];
                    while let Some((Span::Sign('.'), after)) = span(rest) {
                        let Some((Span::Name(part), after)) = span(after) else {
                            break;
                        };
                        parts.push(part);
                        rest = after;
                    }
                    return Some(Token::Name(parts));
                }
                Span::Sign(sign) => return Some(Token::Sign(sign)),
                Span::Text(text) => return Some(Token::Text(text)),
            }
        }
    })
}

/// What stands at the front of a text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Span {
    /// Space, or a comment.
    Blank,
    Name(String),
    Sign(char),
    Text(String),
}

/// The first span and what is behind it. One that never ends reaches to the end of the text.
pub(crate) fn span(text: &str) -> Option<(Span, &str)> {
    let first = text.chars().next()?;
    let blank = |length: usize| Some((Span::Blank, &text[length..]));
    if text.starts_with("--") {
        return blank(text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        return blank(comment(text));
    }
    if first.is_whitespace() {
        return blank(text.find(|other: char| !other.is_whitespace()).unwrap_or(text.len()));
    }
    if let Some(literal) = text.strip_prefix(['E', 'e']).filter(|rest| rest.starts_with('\'')) {
        let (value, rest) = quoted(literal, '\'', Escapes::Backslash);
        return Some((Span::Text(value), rest));
    }
    match first {
        '\'' => {
            let (value, rest) = quoted(text, '\'', Escapes::Doubling);
            Some((Span::Text(value), rest))
        }
        '"' => {
            let (value, rest) = quoted(text, '"', Escapes::Doubling);
            Some((Span::Name(value), rest))
        }
        '$' => Some(dollars(text).unwrap_or((Span::Sign('$'), &text[1..]))),
        _ if is_word(first) => {
            let end = text.find(|other: char| !is_word(other) && other != '$');
            let (word, rest) = text.split_at(end.unwrap_or(text.len()));
            Some((Span::Name(word.to_owned()), rest))
        }
        _ => Some((Span::Sign(first), &text[first.len_utf8()..])),
    }
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// Comments of this kind may hold each other.
fn comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(rest) = text.get(at..) {
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
        } else {
            match rest.chars().next() {
                Some(letter) => at += letter.len_utf8(),
                None => break,
            }
        }
        if depth == 0 {
            break;
        }
    }
    at
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escapes {
    /// A quote stands for itself when it stands twice.
    Doubling,
    /// That, or behind a backslash.
    Backslash,
}

/// What is between the quotes, and what is behind them.
fn quoted(text: &str, quote: char, escapes: Escapes) -> (String, &str) {
    let mut value = String::new();
    let mut letters: Peekable<CharIndices<'_>> = text.char_indices().peekable();
    letters.next();
    while let Some((at, letter)) = letters.next() {
        if letter == '\\' && escapes == Escapes::Backslash {
            value.extend(letters.next().map(|(_, escaped)| escaped));
        } else if letter != quote {
            value.push(letter);
        } else if letters.next_if(|(_, next)| *next == quote).is_some() {
            value.push(quote);
        } else {
            return (value, &text[at + quote.len_utf8()..]);
        }
    }
    (value, "")
}

/// `$tag$ … $tag$`; a parameter such as `$1` is none.
fn dollars(text: &str) -> Option<(Span, &str)> {
    let (tag, body) = text[1..].split_once('$')?;
    if tag.starts_with(|first: char| first.is_ascii_digit()) || !tag.chars().all(is_word) {
        return None;
    }
    let end = format!("${tag}$");
    let (value, rest) = body.split_once(&end).unwrap_or((body, ""));
    Some((Span::Text(value.to_owned()), rest))
}
