#!/bin/bash -eu
# Builds every fuzz target with the sanitizer that the builder's image asks for, and packs its corpus.
# OSS-Fuzz and ClusterFuzzLite set SRC and OUT; the checkout is $SRC/bridgehead.
cd "$SRC/bridgehead"
cargo fuzz build --release --debug-assertions
triple=$(rustc -vV | sed -n 's/^host: //p')
for source in fuzz/fuzz_targets/*.rs; do
  target=$(basename "$source" .rs)
  cp "fuzz/target/$triple/release/$target" "$OUT/"
  (cd "fuzz/corpus/$target" && zip -q -r "$OUT/${target}_seed_corpus.zip" .)
done
