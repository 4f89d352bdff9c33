//! Reads a metric math expression: numbers, ids, lists, operators by precedence, functions.

use super::math::{Expression, MathError, Operator};

/// Deeper nesting is nobody's real expression and would exhaust the stack.
const DEEPEST: usize = 64;

pub(crate) struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Number(f64),
    Word(String),
    Quoted(String),
    Sign(&'static str),
}

/// The longer signs first, so that `<=` is not read as `<`.
const SIGNS: [&str; 18] = [
    "<=", ">=", "==", "!=", "&&", "||", "<", ">", "+", "-", "*", "/", "^", "(", ")", "[", "]", ",",
];

impl Parser {
    pub(crate) fn new(text: &str) -> Result<Self, MathError> {
        let mut tokens = Vec::new();
        let mut rest = text.trim_start();
        while let Some(first) = rest.chars().next() {
            let (token, length) = if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
                (Token::Sign(sign), sign.len())
            } else if first == '"' || first == '\'' {
                let inner = rest[1..]
                    .split(first)
                    .next()
                    .filter(|inner| inner.len() + 1 < rest.len());
                let inner = inner.ok_or(MathError::EndsEarly)?;
                (Token::Quoted(inner.to_owned()), inner.len() + 2)
            } else {
                let end = rest
                    .find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.')
                    .unwrap_or(rest.len());
                (
                    word(&rest[..end]).ok_or_else(|| MathError::Unexpected(first.to_string()))?,
                    end,
                )
            };
            tokens.push(token);
            rest = rest[length..].trim_start();
        }
        Ok(Self {
            tokens,
            at: 0,
            depth: 0,
        })
    }

    pub(crate) fn whole(&mut self) -> Result<Expression, MathError> {
        let expression = self.binary(0)?;
        match self.next() {
            None => Ok(expression),
            Some(token) => Err(token.unexpected()),
        }
    }

    /// Operators that bind at least as strongly as `strength`.
    fn binary(&mut self, strength: u8) -> Result<Expression, MathError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(MathError::TooDeep);
        }
        let mut left = self.operand()?;
        while let Some((operator, power)) = self
            .peek()
            .and_then(Token::operator)
            .filter(|(_, power)| *power >= strength)
        {
            self.at += 1;
            // Only powers group to the right.
            let right = self.binary(if operator == Operator::Power { power } else { power + 1 })?;
            left = Expression::Binary(operator, Box::new(left), Box::new(right));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn operand(&mut self) -> Result<Expression, MathError> {
        match self.next().ok_or(MathError::EndsEarly)? {
            Token::Number(number) => Ok(Expression::Number(number)),
            Token::Quoted(text) => Ok(Expression::Word(text)),
            // Stronger than a sum, weaker than a power: -2^2 is -4.
            Token::Sign("-") => Ok(Expression::Negated(Box::new(self.binary(5)?))),
            Token::Sign("(") => {
                let inner = self.binary(0)?;
                self.expect(")")?;
                Ok(inner)
            }
            Token::Sign("[") => self.list("]").map(Expression::List),
            Token::Word(name) if self.peek() == Some(&Token::Sign("(")) => {
                self.at += 1;
                let arguments = self.list(")")?;
                Expression::function(&name, arguments)
            }
            // An id begins with a lower-case letter (Amazon CloudWatch API Reference, MetricDataQuery).
            Token::Word(name) if name.starts_with(|first: char| first.is_ascii_lowercase()) => Ok(Expression::Id(name)),
            Token::Word(name) => Ok(Expression::Word(name)),
            token @ Token::Sign(_) => Err(token.unexpected()),
        }
    }

    fn list(&mut self, end: &'static str) -> Result<Vec<Expression>, MathError> {
        let mut items = Vec::new();
        if self.peek() == Some(&Token::Sign(end)) {
            self.at += 1;
            return Ok(items);
        }
        loop {
            items.push(self.binary(0)?);
            match self.next().ok_or(MathError::EndsEarly)? {
                Token::Sign(",") => {}
                Token::Sign(sign) if sign == end => return Ok(items),
                token @ (Token::Sign(_) | Token::Number(_) | Token::Word(_) | Token::Quoted(_)) => {
                    return Err(token.unexpected());
                }
            }
        }
    }

    fn expect(&mut self, sign: &'static str) -> Result<(), MathError> {
        match self.next().ok_or(MathError::EndsEarly)? {
            Token::Sign(found) if found == sign => Ok(()),
            token @ (Token::Sign(_) | Token::Number(_) | Token::Word(_) | Token::Quoted(_)) => Err(token.unexpected()),
        }
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }
}

fn word(text: &str) -> Option<Token> {
    let first = text.chars().next()?;
    if first.is_ascii_digit() || first == '.' {
        return text.parse().ok().map(Token::Number);
    }
    Some(Token::Word(text.to_owned()))
}

impl Token {
    fn operator(&self) -> Option<(Operator, u8)> {
        let word = match self {
            Self::Sign(sign) => *sign,
            Self::Word(word) => word.as_str(),
            Self::Number(_) | Self::Quoted(_) => return None,
        };
        Some(match word {
            "||" | "OR" => (Operator::Or, 0),
            "&&" | "AND" => (Operator::And, 1),
            "==" => (Operator::Equal, 2),
            "!=" => (Operator::NotEqual, 2),
            "<" => (Operator::Less, 3),
            "<=" => (Operator::LessOrEqual, 3),
            ">" => (Operator::Greater, 3),
            ">=" => (Operator::GreaterOrEqual, 3),
            "+" => (Operator::Add, 4),
            "-" => (Operator::Subtract, 4),
            "*" => (Operator::Multiply, 5),
            "/" => (Operator::Divide, 5),
            "^" => (Operator::Power, 6),
            _ => return None,
        })
    }

    fn unexpected(self) -> MathError {
        MathError::Unexpected(match self {
            Self::Number(number) => number.to_string(),
            Self::Word(text) | Self::Quoted(text) => text,
            Self::Sign(sign) => sign.to_owned(),
        })
    }
}
