//! Delta debugging: the fewest steps that still fail in the same way.

/// Takes steps away as long as what is left still fails; `fails` is asked at most `budget` times.
///
/// Pieces of half, a quarter and so on are tried, then single steps, until no single step can go (1-minimal).
///
/// # Errors
/// The first run that cannot be judged.
pub fn shrink<T: Clone, E>(
    steps: &[T],
    budget: usize,
    mut fails: impl FnMut(&[T]) -> Result<bool, E>,
) -> Result<Vec<T>, E> {
    let mut kept = steps.to_vec();
    let mut asked = 0;
    let mut size = kept.len().div_ceil(2).max(1);
    loop {
        let mut start = 0;
        let mut less = false;
        while start < kept.len() && asked < budget {
            let end = (start + size).min(kept.len());
            let tried: Vec<T> = kept[..start].iter().chain(&kept[end..]).cloned().collect();
            asked += 1;
            if fails(&tried)? {
                kept = tried;
                less = true;
            } else {
                start = end;
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
            let fails = |left: &[usize]| Ok::<_, Infallible>(needed.iter().all(|step| left.contains(step)));
            let Ok(left) = shrink(&steps, 1_000, fails);
            assert_eq!(left, needed.iter().copied().collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_budget_is_kept() {
        let mut asked = 0;
        let steps: Vec<usize> = (0..100).collect();
        let Ok(left) = shrink(&steps, 7, |left| {
            asked += 1;
            Ok::<_, Infallible>(left.contains(&99))
        });
        assert_eq!(asked, 7);
        assert!(left.contains(&99));
    }

    #[test]
    fn an_error_ends_it() {
        assert_eq!(shrink(&[1, 2], 10, |_| Err("gone")), Err("gone"));
    }
}
