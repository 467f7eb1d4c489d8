//! Values derived from a view's accounts, kept with the view: the first caller computes one, and all holders of the view share it.

use std::{
    any::{Any, TypeId},
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

type Values = BTreeMap<TypeId, Arc<dyn Any + Send + Sync>>;

/// One value of each type. Two views are equal whatever was made of them.
#[derive(Default)]
pub(super) struct Derived {
    now: Mutex<Values>,
    /// Of the accounts as they were. A value that is made again and equals it is the same one, so that who holds it sees
    /// by its address that nothing has changed.
    before: Values,
}

impl Derived {
    /// The value of this type, made unless it is there.
    pub(super) fn get<T: Any + Send + Sync + PartialEq>(&self, make: impl FnOnce() -> T) -> Arc<T> {
        let key = TypeId::of::<T>();
        if let Some(value) = self.now().get(&key).and_then(of_type) {
            return value;
        }
        // Not under the lock: what it is made of may be derived, too.
        let value = make();
        let before = self.before.get(&key).and_then(of_type::<T>).filter(|before| **before == value);
        let value = before.unwrap_or_else(|| Arc::new(value));
        self.now().insert(key, value.clone());
        value
    }

    /// The accounts have changed.
    pub(super) fn outdate(&mut self) {
        let now = self.now.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.before.append(now);
    }

    fn now(&self) -> MutexGuard<'_, Values> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn of_type<T: Any + Send + Sync>(value: &Arc<dyn Any + Send + Sync>) -> Option<Arc<T>> {
    Arc::clone(value).downcast().ok()
}

impl Clone for Derived {
    fn clone(&self) -> Self {
        Self { now: Mutex::new(self.now().clone()), before: self.before.clone() }
    }
}

impl PartialEq for Derived {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for Derived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} derived", self.now().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_once_and_again_when_the_accounts_have_changed() {
        let mut derived = Derived::default();
        let first = derived.get(|| 7_u32);
        assert!(Arc::ptr_eq(&first, &derived.get(|| -> u32 { panic!("it is there") })));
        derived.outdate();
        assert!(Arc::ptr_eq(&first, &derived.get(|| 7_u32)));
        let clone = derived.clone();
        derived.outdate();
        assert_eq!(*derived.get(|| 8_u32), 8);
        assert!(Arc::ptr_eq(&first, &clone.get(|| -> u32 { panic!("the clone has not changed") })));
    }
}
