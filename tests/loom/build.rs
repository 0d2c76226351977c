//! Turns `cfg(loom)` on for this package alone; no other is built a second time.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-cfg=loom");
}
