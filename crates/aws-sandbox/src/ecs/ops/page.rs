//! Pages of lists. The token is the position of the next page's first item.

use crate::ecs::error::EcsError;

/// One page and where the next begins.
pub(super) fn page<T>(
    items: Vec<T>,
    token: Option<&str>,
    size: Option<i32>,
    most: usize,
) -> Result<(Vec<T>, Option<String>), EcsError> {
    let start: usize = match token {
        None => 0,
        Some(token) => token
            .parse()
            .map_err(|_| EcsError::invalid("The nextToken is not valid."))?,
    };
    let size = size
        .and_then(|size| usize::try_from(size).ok())
        .filter(|size| *size > 0)
        .unwrap_or(most)
        .min(most);
    let total = items.len();
    let page: Vec<T> = items.into_iter().skip(start).take(size).collect();
    let next = start + page.len();
    Ok((page, (next < total).then(|| next.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_to_the_end() {
        let (first, token) = page(vec![1, 2, 3], None, Some(2), 100).unwrap();
        assert_eq!((first, token.as_deref()), (vec![1, 2], Some("2")));
        let (second, token) = page(vec![1, 2, 3], Some("2"), Some(2), 100).unwrap();
        assert_eq!((second, token), (vec![3], None));
        assert!(page(vec![1], Some("x"), None, 100).is_err());
    }
}
