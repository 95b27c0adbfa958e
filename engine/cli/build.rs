//! The SDKs' templates are in the program: it is built again when a file of them is changed, added or removed.

fn main() {
    println!("cargo::rerun-if-changed=../../sdk-wit");
}
