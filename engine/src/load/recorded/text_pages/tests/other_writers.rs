//! Files that others wrote. Run by hand.

use super::*;

#[test]
#[ignore = "needs a folder of tables of rankings that other programs wrote, named by REMATCH_TABLES"]
fn files_of_other_writers_are_read_alike() {
    let folder = std::env::var_os("REMATCH_TABLES").unwrap();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        for (block_rows, from) in [(None, 0), (Some(77), 0), (Some(1000), 333), (Some(501), 1999)] {
            let ((from_pages, fault), (general, general_fault), known) = by_both(&path, block_rows, from).unwrap();
            assert!(fault.is_none() && general_fault.is_none(), "{}", path.display());
            assert!(from_pages == general, "{} in blocks of {block_rows:?}, from row {from}", path.display());
            if from == 0 {
                let items: usize = general.iter().map(|block| block.items.len()).sum();
                eprintln!("{}: {items} items, {}", path.display(), if known { "from pages" } else { "left" });
            }
        }
    }
}
