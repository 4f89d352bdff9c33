//! How a table is cut: by ranges of its pages, so that several connections read one table at once. Pure.

/// A range of pages of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    /// The first page.
    pub(crate) from: u64,
    /// The page after the last; none for whatever the table has by then.
    pub(crate) to: Option<u64>,
}

impl Piece {
    pub(crate) const WHOLE: Self = Self { from: 0, to: None };

    /// Whether it is the whole table.
    pub(crate) fn is_whole(self) -> bool {
        self == Self::WHOLE
    }
}

/// Cuts a table of so many pages into pieces of at most so many. The last one is open, because the table may have grown since it was
/// measured; what grew is not in the snapshot, but a page number that was read too early could hide rows that are.
pub(crate) fn cut(pages: u64, most: u64) -> Vec<Piece> {
    let most = most.max(1);
    let count = pages.div_ceil(most).max(1);
    (0..count)
        .map(|at| Piece {
            from: at * most,
            to: (at + 1 < count).then_some((at + 1) * most),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn small_tables_stay_whole() {
        for pages in [0, 1, 10] {
            let pieces = cut(pages, 10);
            assert_eq!(pieces, [Piece::WHOLE]);
            assert!(pieces[0].is_whole());
        }
        let last = Piece { from: 10, to: None };
        assert_eq!(cut(11, 10), [Piece { from: 0, to: Some(10) }, last]);
    }

    proptest! {
        #[test]
        fn every_page_is_in_exactly_one_piece(pages in 0_u64..5000, most in 0_u64..700, page in 0_u64..6000) {
            let pieces = cut(pages, most);
            let holding = pieces.iter().filter(|piece| piece.from <= page && piece.to.is_none_or(|to| page < to));
            prop_assert_eq!(holding.count(), 1);
        }
    }
}
