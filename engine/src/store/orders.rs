//! Whose orders are done in a run directory: executors of a cluster work in one that another process holds.

use std::io;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use super::{RunDirectory, StoreError, layout};

impl RunDirectory {
    /// Returns the directory for somebody who works in it by that order: he writes nothing once it does not stand any more.
    #[must_use]
    pub fn ordered_by(mut self, order: &str) -> Self {
        self.order = Some(Arc::from(order));
        self
    }

    /// Returns whether this process works here by somebody's order.
    #[must_use]
    pub fn is_ordered(&self) -> bool {
        self.order.is_some()
    }

    /// Returns the directory for what is noted whether or not the order still stands.
    #[must_use]
    pub fn without_order(&self) -> Self {
        let mut same = self.clone();
        same.order = None;
        same
    }

    /// Makes sure that the order by which this process works here still stands; one that holds the directory needs none.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError::OrderGone`] where it does not, or an error when that cannot be told.
    pub fn check_order(&self) -> Result<(), StoreError> {
        match &self.order {
            Some(order) if !self.is_ordered_by(order)? => Err(StoreError::OrderGone { path: self.root().to_owned() }),
            _ => Ok(()),
        }
    }

    /// Returns whether the directory is worked in by that order.
    ///
    /// # Errors
    ///
    /// Returns an error when it cannot be told.
    pub fn is_ordered_by(&self, order: &str) -> Result<bool, StoreError> {
        #[derive(Deserialize)]
        struct Shipped {
            drive: String,
        }
        match self.read_json::<Shipped>(layout::SHIPPED) {
            Ok(shipped) => Ok(shipped.drive == order),
            Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Takes back what was ordered: whoever still works on it ends before he writes. Where nothing was, there is nothing to take
    /// back.
    ///
    /// # Errors
    ///
    /// Returns an error when it cannot be taken back.
    pub fn withdraw_orders(&self) -> Result<(), StoreError> {
        self.without_order().remove(layout::SHIPPED)
    }

    /// Does as [`Self::withdraw_orders`] in a directory that may hold no run.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Self::withdraw_orders`].
    pub fn withdraw_orders_in(root: &Path) -> Result<(), StoreError> {
        Self::at(root)?.withdraw_orders()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::store::Manifest;

    #[test]
    fn who_works_by_an_order_writes_nothing_once_it_is_taken_back_or_another_stands() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = json!({
            "layout_version": 2, "engine_version": "0", "run_id": "a", "name": "n", "seed": 1, "plan": {}, "inputs": []
        });
        let manifest: Manifest = serde_json::from_value(manifest).unwrap();
        let (holder, _) = RunDirectory::open(folder.path(), &manifest).unwrap();
        let executor = RunDirectory::view(folder.path()).unwrap().0.ordered_by("first");
        let gone = |written: Result<(), StoreError>| matches!(written, Err(StoreError::OrderGone { .. }));
        assert!(gone(executor.write_json("sums/a.json", &1)), "nothing was ordered");
        holder.write_json(layout::SHIPPED, &json!({ "drive": "first", "plan": {} })).unwrap();
        executor.write_json("sums/a.json", &1).unwrap();
        holder.write_json(layout::SHIPPED, &json!({ "drive": "second", "plan": {} })).unwrap();
        assert!(gone(executor.write_json("sums/b.json", &1)), "another order stands");
        executor.without_order().write_json("asked/c.json", &1).unwrap();
        holder.withdraw_orders().unwrap();
        assert!(gone(executor.check_order()) && gone(executor.ordered_by("second").check_order()));
        holder.check_order().unwrap();
        RunDirectory::withdraw_orders_in(folder.path()).unwrap();
        assert!(!folder.path().join("sums/b.json").exists());
    }
}
