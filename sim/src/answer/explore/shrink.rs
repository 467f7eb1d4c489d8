//! Delta debugging: the fewest steps that still fail in the same way.

/// Histories that are tried at a time, to be run side by side.
const WIDTH: usize = 4;

/// Takes steps away as long as what is left still fails. `fails` gets a few histories and returns which is the first that
/// does; it is asked about at most `budget` of them.
///
/// Pieces of half, a quarter and so on are tried, then single steps, until no single step can go (1-minimal).
///
/// # Errors
/// The first run that cannot be judged.
pub fn shrink<T: Clone, E>(
    steps: &[T],
    budget: usize,
    mut fails: impl FnMut(&[Vec<T>]) -> Result<Option<usize>, E>,
) -> Result<Vec<T>, E> {
    let mut kept = steps.to_vec();
    let mut asked = 0;
    let mut size = kept.len().div_ceil(2).max(1);
    loop {
        let mut start = 0;
        let mut less = false;
        while start < kept.len() && asked < budget {
            let without = |from: usize| kept[..from].iter().chain(kept.iter().skip(from + size)).cloned().collect();
            let starts = (start..kept.len()).step_by(size).take(WIDTH.min(budget - asked));
            let mut tried: Vec<Vec<T>> = starts.map(without).collect();
            asked += tried.len();
            let first = fails(&tried)?;
            // What comes before the first one is needed.
            start += first.unwrap_or(tried.len()) * size;
            if let Some(first) = first {
                kept = tried.swap_remove(first);
                less = true;
            }
        }
        if asked >= budget || (size == 1 && !less) {
            return Ok(kept);
        }
        if size > 1 {
            size = size.div_ceil(2);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::{collection::btree_set, proptest};

    use super::*;

    proptest! {
        #[test]
        fn what_is_left_is_what_is_needed(needed in btree_set(0usize..40, 1..5)) {
            let steps: Vec<usize> = (0..40).collect();
            let has_all = |left: &Vec<usize>| needed.iter().all(|step| left.contains(step));
            let fails = |tried: &[Vec<usize>]| Ok::<_, Infallible>(tried.iter().position(has_all));
            let Ok(left) = shrink(&steps, 1_000, fails);
            assert_eq!(left, needed.iter().copied().collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_budget_is_kept() {
        let mut asked = 0;
        let steps: Vec<usize> = (0..100).collect();
        let Ok(left) = shrink(&steps, 7, |tried| {
            asked += tried.len();
            Ok::<_, Infallible>(tried.iter().position(|left| left.contains(&99)))
        });
        assert_eq!(asked, 7);
        assert!(left.contains(&99));
    }

    #[test]
    fn an_error_ends_it() {
        assert_eq!(shrink(&[1, 2], 10, |_| Err("gone")), Err("gone"));
    }
}
