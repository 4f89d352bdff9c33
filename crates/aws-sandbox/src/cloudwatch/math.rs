//! Metric math: expressions over time series (Amazon CloudWatch User Guide, "Using math expressions with metrics").
//!
//! Pure: an [`Expression`] is parsed once and evaluated against series that somebody else fetched.

use std::collections::BTreeMap;

/// Values by the second at which their period begins.
pub(crate) type Series = BTreeMap<i64, f64>;

/// Why an expression has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MathError {
    #[error("`{0}` is not expected here")]
    Unexpected(String),
    #[error("the expression ends too early")]
    EndsEarly,
    #[error("the expression is nested too deeply")]
    TooDeep,
    #[error("the sandbox does not know the function {0}")]
    UnknownFunction(String),
    #[error("there is no query with the id {0}")]
    UnknownId(String),
    #[error("{function} does not take these arguments")]
    Arguments { function: &'static str },
    #[error("the query {0} refers to itself")]
    Circular(String),
    #[error("the expression gives a single number and must give a time series")]
    NotASeries,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expression {
    Number(f64),
    Id(String),
    List(Vec<Expression>),
    Negated(Box<Expression>),
    Binary(Operator, Box<Expression>, Box<Expression>),
    Call(Function, Vec<Expression>),
    /// `"errors"` in `METRICS("errors")`, `REPEAT` in `FILL(m, REPEAT)`.
    Word(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Power,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
    And,
    Or,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Abs,
    Avg,
    Ceil,
    Diff,
    Fill,
    Floor,
    If,
    Max,
    Metrics,
    Min,
    Period,
    Rate,
    RunningSum,
    Sum,
    TimeSeries,
}

impl Function {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "ABS" => Self::Abs,
            "AVG" => Self::Avg,
            "CEIL" => Self::Ceil,
            "DIFF" => Self::Diff,
            "FILL" => Self::Fill,
            "FLOOR" => Self::Floor,
            "IF" => Self::If,
            "MAX" => Self::Max,
            "METRICS" => Self::Metrics,
            "MIN" => Self::Min,
            "PERIOD" => Self::Period,
            "RATE" => Self::Rate,
            "RUNNING_SUM" => Self::RunningSum,
            "SUM" => Self::Sum,
            "TIME_SERIES" => Self::TimeSeries,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Abs => "ABS",
            Self::Avg => "AVG",
            Self::Ceil => "CEIL",
            Self::Diff => "DIFF",
            Self::Fill => "FILL",
            Self::Floor => "FLOOR",
            Self::If => "IF",
            Self::Max => "MAX",
            Self::Metrics => "METRICS",
            Self::Min => "MIN",
            Self::Period => "PERIOD",
            Self::Rate => "RATE",
            Self::RunningSum => "RUNNING_SUM",
            Self::Sum => "SUM",
            Self::TimeSeries => "TIME_SERIES",
        }
    }
}

/// What an expression may look at.
pub(crate) trait Context {
    /// The series of another query of the same request.
    fn series(&self, id: &str) -> Result<Series, MathError>;
    /// The ids of the queries that fetch a metric and whose id contains this text, in the order of the request.
    fn metric_ids(&self, containing: &str) -> Vec<String>;
    /// Seconds of a period.
    fn period(&self) -> i64;
    /// The beginnings of all periods asked for.
    fn periods(&self) -> Vec<i64>;
}

#[derive(Debug, Clone, PartialEq)]
enum Value {
    Number(f64),
    Series(Series),
    List(Vec<Value>),
    Word(String),
}

impl Expression {
    /// The series this expression stands for. A period whose value is not a finite number, as after a division by zero, has no data point.
    pub(crate) fn evaluate(&self, context: &impl Context) -> Result<Series, MathError> {
        match self.value(context)? {
            Value::Series(mut series) => {
                series.retain(|_, value| value.is_finite());
                Ok(series)
            }
            Value::Number(_) | Value::List(_) | Value::Word(_) => Err(MathError::NotASeries),
        }
    }

    fn value(&self, context: &impl Context) -> Result<Value, MathError> {
        match self {
            Self::Number(number) => Ok(Value::Number(*number)),
            Self::Word(word) => Ok(Value::Word(word.clone())),
            Self::Id(id) => context.series(id).map(Value::Series),
            Self::List(items) => items
                .iter()
                .map(|item| item.value(context))
                .collect::<Result<_, _>>()
                .map(Value::List),
            Self::Negated(inner) => combine(Operator::Subtract, Value::Number(0.0), inner.value(context)?),
            Self::Binary(operator, left, right) => combine(*operator, left.value(context)?, right.value(context)?),
            Self::Call(function, arguments) => {
                let arguments = arguments
                    .iter()
                    .map(|argument| argument.value(context))
                    .collect::<Result<Vec<_>, _>>()?;
                call(*function, arguments, context)
            }
        }
    }
}

/// Two series combine where both have a data point; a number combines with every point.
fn combine(operator: Operator, left: Value, right: Value) -> Result<Value, MathError> {
    Ok(match (left, right) {
        (Value::Number(left), Value::Number(right)) => Value::Number(operator.apply(left, right)),
        (Value::Series(left), Value::Number(right)) => Value::Series(map(left, |value| operator.apply(value, right))),
        (Value::Number(left), Value::Series(right)) => Value::Series(map(right, |value| operator.apply(left, value))),
        (Value::Series(left), Value::Series(right)) => {
            let both = |(at, value): (i64, f64)| Some((at, operator.apply(value, *right.get(&at)?)));
            Value::Series(left.into_iter().filter_map(both).collect())
        }
        (Value::List(items), other) => Value::List(
            items
                .into_iter()
                .map(|item| combine(operator, item, other.clone()))
                .collect::<Result<_, _>>()?,
        ),
        (other, Value::List(items)) => Value::List(
            items
                .into_iter()
                .map(|item| combine(operator, other.clone(), item))
                .collect::<Result<_, _>>()?,
        ),
        (Value::Word(word), _) | (_, Value::Word(word)) => return Err(MathError::Unexpected(word)),
    })
}

impl Operator {
    fn apply(self, left: f64, right: f64) -> f64 {
        let truth = |holds: bool| if holds { 1.0 } else { 0.0 };
        let (yes_left, yes_right) = (left != 0.0, right != 0.0);
        match self {
            Self::Add => left + right,
            Self::Subtract => left - right,
            Self::Multiply => left * right,
            Self::Divide => left / right,
            Self::Power => left.powf(right),
            Self::Less => truth(left < right),
            Self::LessOrEqual => truth(left <= right),
            Self::Greater => truth(left > right),
            Self::GreaterOrEqual => truth(left >= right),
            Self::Equal => truth(left.total_cmp(&right).is_eq()),
            Self::NotEqual => truth(left.total_cmp(&right).is_ne()),
            Self::And => truth(yes_left && yes_right),
            Self::Or => truth(yes_left || yes_right),
        }
    }
}

fn call(function: Function, arguments: Vec<Value>, context: &impl Context) -> Result<Value, MathError> {
    let refused = || MathError::Arguments {
        function: function.name(),
    };
    let one = |arguments: Vec<Value>| {
        <[Value; 1]>::try_from(arguments)
            .map(|[value]| value)
            .map_err(|_| refused())
    };
    let each = |arguments: Vec<Value>, change: fn(f64) -> f64| match one(arguments)? {
        Value::Number(number) => Ok(Value::Number(change(number))),
        Value::Series(series) => Ok(Value::Series(map(series, change))),
        Value::List(_) | Value::Word(_) => Err(refused()),
    };
    match function {
        Function::Abs => each(arguments, f64::abs),
        Function::Ceil => each(arguments, f64::ceil),
        Function::Floor => each(arguments, f64::floor),
        Function::Sum => aggregate(one(arguments)?, |values| values.iter().sum()).ok_or_else(refused),
        Function::Avg => aggregate(one(arguments)?, average).ok_or_else(refused),
        Function::Max => aggregate(one(arguments)?, |values| {
            values.iter().copied().fold(f64::MIN, f64::max)
        })
        .ok_or_else(refused),
        Function::Min => aggregate(one(arguments)?, |values| {
            values.iter().copied().fold(f64::MAX, f64::min)
        })
        .ok_or_else(refused),
        Function::Diff => neighbours(one(arguments)?, |_, (_, before), (_, now)| now - before).ok_or_else(refused),
        Function::Rate => neighbours(one(arguments)?, |_, (then, before), (at, now)| {
            (now - before) / seconds(at - then)
        })
        .ok_or_else(refused),
        Function::RunningSum => running_sum(one(arguments)?).ok_or_else(refused),
        Function::Period => Ok(Value::Number(seconds(context.period()))),
        Function::TimeSeries => match one(arguments)? {
            Value::Number(number) => Ok(Value::Series(
                context.periods().into_iter().map(|at| (at, number)).collect(),
            )),
            Value::Series(_) | Value::List(_) | Value::Word(_) => Err(refused()),
        },
        Function::Metrics => {
            let containing = match arguments.as_slice() {
                [] => "",
                [Value::Word(text)] => text,
                _ => return Err(refused()),
            };
            let ids = context.metric_ids(containing);
            ids.iter()
                .map(|id| context.series(id).map(Value::Series))
                .collect::<Result<_, _>>()
                .map(Value::List)
        }
        Function::Fill => <[Value; 2]>::try_from(arguments)
            .ok()
            .and_then(|[value, with]| fill(value, &with, context))
            .ok_or_else(refused),
        Function::If => choose(arguments, context).ok_or_else(refused),
    }
}

/// Over a list: one series with a value wherever any member has one. Over a series: one number.
fn aggregate(value: Value, together: fn(&[f64]) -> f64) -> Option<Value> {
    match value {
        Value::Series(series) => {
            let values: Vec<f64> = series.into_values().collect();
            Some(Value::Number(if values.is_empty() {
                f64::NAN
            } else {
                together(&values)
            }))
        }
        Value::List(items) => {
            let mut columns: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
            for item in items {
                let Value::Series(series) = item else { return None };
                for (at, value) in series {
                    columns.entry(at).or_default().push(value);
                }
            }
            Some(Value::Series(
                columns
                    .into_iter()
                    .map(|(at, values)| (at, together(&values)))
                    .collect(),
            ))
        }
        Value::Number(_) | Value::Word(_) => None,
    }
}

#[expect(clippy::cast_precision_loss, reason = "no request has 2^53 data points")]
fn average(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn neighbours(value: Value, difference: fn(usize, (i64, f64), (i64, f64)) -> f64) -> Option<Value> {
    let Value::Series(series) = value else { return None };
    let points: Vec<(i64, f64)> = series.into_iter().collect();
    let pairs = points.windows(2).enumerate();
    Some(Value::Series(
        pairs
            .map(|(at, pair)| (pair[1].0, difference(at, pair[0], pair[1])))
            .collect(),
    ))
}

fn running_sum(value: Value) -> Option<Value> {
    let Value::Series(series) = value else { return None };
    let mut sum = 0.0;
    Some(Value::Series(map(series, |value| {
        sum += value;
        sum
    })))
}

/// Gives every period asked for a value: a number, that of a series, the one before (`REPEAT`) or one on the line between its neighbours (`LINEAR`).
fn fill(value: Value, with: &Value, context: &impl Context) -> Option<Value> {
    let series = match value {
        Value::Series(series) => series,
        Value::List(items) => {
            let filled: Option<_> = items.into_iter().map(|item| fill(item, with, context)).collect();
            return filled.map(Value::List);
        }
        Value::Number(_) | Value::Word(_) => return None,
    };
    let filling = |at: i64| match with {
        Value::Number(number) => Some(*number),
        Value::Series(other) => other.get(&at).copied(),
        Value::Word(word) => {
            let before = series.range(..at).next_back().map(|(at, value)| (*at, *value));
            let after = series.range(at..).next().map(|(at, value)| (*at, *value));
            match (word.as_str(), before, after) {
                ("REPEAT", Some((_, value)), _) => Some(value),
                ("LINEAR", Some((from, low)), Some((to, high))) => {
                    Some(low + (high - low) * seconds(at - from) / seconds(to - from))
                }
                _ => None,
            }
        }
        Value::List(_) => None,
    };
    if matches!(with, Value::Word(word) if word != "REPEAT" && word != "LINEAR") || matches!(with, Value::List(_)) {
        return None;
    }
    let mut filled = series.clone();
    for at in context.periods() {
        if !series.contains_key(&at)
            && let Some(value) = filling(at)
        {
            filled.insert(at, value);
        }
    }
    Some(Value::Series(filled))
}

/// `IF(condition, then[, otherwise])`, period by period; without `otherwise` a period whose condition fails has no value.
fn choose(arguments: Vec<Value>, context: &impl Context) -> Option<Value> {
    let mut arguments = arguments.into_iter();
    let (condition, then, otherwise) = (arguments.next()?, arguments.next()?, arguments.next());
    if arguments.next().is_some() {
        return None;
    }
    if let (Value::Number(condition), Some(otherwise)) = (&condition, &otherwise) {
        return Some(if *condition == 0.0 { otherwise.clone() } else { then });
    }
    let at = |value: &Value, at: i64| match value {
        Value::Number(number) => Some(*number),
        Value::Series(series) => series.get(&at).copied(),
        Value::List(_) | Value::Word(_) => None,
    };
    let times: Vec<i64> = match &condition {
        Value::Series(series) => series.keys().copied().collect(),
        Value::Number(_) => context.periods(),
        Value::List(_) | Value::Word(_) => return None,
    };
    let chosen = times.into_iter().filter_map(|time| {
        let branch = if at(&condition, time)? == 0.0 {
            otherwise.as_ref()?
        } else {
            &then
        };
        Some((time, at(branch, time)?))
    });
    Some(Value::Series(chosen.collect()))
}

fn map(series: Series, mut change: impl FnMut(f64) -> f64) -> Series {
    series.into_iter().map(|(at, value)| (at, change(value))).collect()
}

#[expect(clippy::cast_precision_loss, reason = "seconds since the epoch are far below 2^53")]
fn seconds(number: i64) -> f64 {
    number as f64
}

impl Expression {
    pub(crate) fn parse(text: &str) -> Result<Self, MathError> {
        let mut parser = super::math_parser::Parser::new(text)?;
        parser.whole()
    }

    pub(crate) fn function(name: &str, arguments: Vec<Self>) -> Result<Self, MathError> {
        let function = Function::named(name).ok_or_else(|| MathError::UnknownFunction(name.to_owned()))?;
        Ok(Self::Call(function, arguments))
    }
}
