;; Puts the samples of three planes side by side, in linear memory; interleave.ts fills it.
(module
  (memory (export "memory") 1)

  ;; Sixteen pixels at a time, so up to 15 more are read, and written, than there are. Planes lie $plane bytes apart.
  (func (export "interleave") (param $from i32) (param $plane i32) (param $count i32) (param $to i32)
    (local $end i32) (local $red v128) (local $green v128) (local $blue v128)
    (local.set $end (i32.add (local.get $from) (local.get $count)))
    (loop $sixteen
      (local.set $red (v128.load (local.get $from)))
      (local.set $green (v128.load (i32.add (local.get $from) (local.get $plane))))
      (local.set $blue (v128.load (i32.add (local.get $from) (i32.shl (local.get $plane) (i32.const 1)))))
      ;; Red and green in turn, with gaps for blue.
      (v128.store (local.get $to)
        (i8x16.shuffle 0 1 16 3 4 17 6 7 18 9 10 19 12 13 20 15
          (i8x16.shuffle 0 16 0 1 17 0 2 18 0 3 19 0 4 20 0 5 (local.get $red) (local.get $green))
          (local.get $blue)))
      (v128.store offset=16 (local.get $to)
        (i8x16.shuffle 0 21 2 3 22 5 6 23 8 9 24 11 12 25 14 15
          (i8x16.shuffle 21 0 6 22 0 7 23 0 8 24 0 9 25 0 10 26 (local.get $red) (local.get $green))
          (local.get $blue)))
      (v128.store offset=32 (local.get $to)
        (i8x16.shuffle 26 1 2 27 4 5 28 7 8 29 10 11 30 13 14 31
          (i8x16.shuffle 0 11 27 0 12 28 0 13 29 0 14 30 0 15 31 0 (local.get $red) (local.get $green))
          (local.get $blue)))
      (local.set $from (i32.add (local.get $from) (i32.const 16)))
      (local.set $to (i32.add (local.get $to) (i32.const 48)))
      (br_if $sixteen (i32.lt_u (local.get $from) (local.get $end))))))
