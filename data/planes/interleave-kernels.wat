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
      (v128.store (local.get $to)
        (v128.or
          (v128.or
            (i8x16.swizzle (local.get $red)
              (v128.const i8x16 0 255 255 1 255 255 2 255 255 3 255 255 4 255 255 5))
            (i8x16.swizzle (local.get $green)
              (v128.const i8x16 255 0 255 255 1 255 255 2 255 255 3 255 255 4 255 255)))
          (i8x16.swizzle (local.get $blue)
            (v128.const i8x16 255 255 0 255 255 1 255 255 2 255 255 3 255 255 4 255))))
      (v128.store offset=16 (local.get $to)
        (v128.or
          (v128.or
            (i8x16.swizzle (local.get $red)
              (v128.const i8x16 255 255 6 255 255 7 255 255 8 255 255 9 255 255 10 255))
            (i8x16.swizzle (local.get $green)
              (v128.const i8x16 5 255 255 6 255 255 7 255 255 8 255 255 9 255 255 10)))
          (i8x16.swizzle (local.get $blue)
            (v128.const i8x16 255 5 255 255 6 255 255 7 255 255 8 255 255 9 255 255))))
      (v128.store offset=32 (local.get $to)
        (v128.or
          (v128.or
            (i8x16.swizzle (local.get $red)
              (v128.const i8x16 255 11 255 255 12 255 255 13 255 255 14 255 255 15 255 255))
            (i8x16.swizzle (local.get $green)
              (v128.const i8x16 255 255 11 255 255 12 255 255 13 255 255 14 255 255 15 255)))
          (i8x16.swizzle (local.get $blue)
            (v128.const i8x16 10 255 255 11 255 255 12 255 255 13 255 255 14 255 255 15))))
      (local.set $from (i32.add (local.get $from) (i32.const 16)))
      (local.set $to (i32.add (local.get $to) (i32.const 48)))
      (br_if $sixteen (i32.lt_u (local.get $from) (local.get $end))))))
