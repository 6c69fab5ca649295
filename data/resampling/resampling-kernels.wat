;; The two passes of a resampler, on packed RGB bytes in linear memory. kernels.ts lays the memory out.
;;
;; A weight w of 22 fractional bits is kept as two 16-bit numbers, w = 256 hi + lo, so that i32x4.dot_i16x8_s multiplies
;; and adds two taps at a time; sums of products are exact in 32 bits, whatever their order. Weights lie in pairs of taps:
;; hi hi lo lo, eight bytes. For each output `first` holds the first input that it draws on, and `pairs` the number of its
;; pairs of taps (as int32); its weights begin `weightBytes` after those of the output before.
;;
;; Rows are read and written a few bytes beyond their end: what is written there is written again by the next row, and
;; memory has room behind the last, and for one more. Everything is inlined by hand, since the engine does not.
(module
  (memory (export "memory") 1)

  ;; Along the rows: out[y][x] = sum of in[y][first[x] + k] weight[x][k]. Two rows at a time, which share the weights; of
  ;; an odd number the last is done with whatever lies behind it.
  (func (export "rows")
    (param $in i32) (param $inStride i32) (param $height i32)
    (param $out i32) (param $outWidth i32)
    (param $first i32) (param $pairs i32) (param $weights i32) (param $weightBytes i32)
    (local $x i32) (local $from i32) (local $weight i32) (local $end i32) (local $outStride i32)
    (local $pixels v128) (local $left v128) (local $right v128)
    (local $hi v128) (local $lo v128) (local $hiBelow v128) (local $loBelow v128)
    (local.set $outStride (i32.mul (i32.const 3) (local.get $outWidth)))
    (loop $rows
      (local.set $x (i32.const 0))
      (loop $pixel
        (local.set $from
          (i32.add (local.get $in)
            (i32.mul (i32.const 3)
              (i32.load (i32.add (local.get $first) (i32.shl (local.get $x) (i32.const 2)))))))
        (local.set $weight
          (i32.add (local.get $weights) (i32.mul (local.get $x) (local.get $weightBytes))))
        (local.set $end
          (i32.add (local.get $weight)
            (i32.shl
              (i32.load (i32.add (local.get $pairs) (i32.shl (local.get $x) (i32.const 2))))
              (i32.const 3))))
        (local.set $hi (v128.const i32x4 0 0 0 0))
        (local.set $hiBelow (v128.const i32x4 0 0 0 0))
        ;; Half, for rounding.
        (local.set $lo (v128.const i32x4 0x200000 0x200000 0x200000 0x200000))
        (local.set $loBelow (local.get $lo))
        ;; Four pixels at a time, which is two pairs of taps; the second may be one of zeros.
        (loop $taps
          ;; Of RGB RGB RGB RGB the first two and the last two, as 16-bit R R G G B B 0 0.
          (local.set $pixels (v128.load align=1 (local.get $from)))
          (local.set $left
            (i8x16.swizzle (local.get $pixels)
              (v128.const i8x16 0 255 3 255 1 255 4 255 2 255 5 255 255 255 255 255)))
          (local.set $right
            (i8x16.swizzle (local.get $pixels)
              (v128.const i8x16 6 255 9 255 7 255 10 255 8 255 11 255 255 255 255 255)))
          (local.set $hi
            (i32x4.add (local.get $hi)
              (i32x4.add
                (i32x4.dot_i16x8_s (local.get $left) (v128.load32_splat (local.get $weight)))
                (i32x4.dot_i16x8_s (local.get $right) (v128.load32_splat offset=8 (local.get $weight))))))
          (local.set $lo
            (i32x4.add (local.get $lo)
              (i32x4.add
                (i32x4.dot_i16x8_s (local.get $left) (v128.load32_splat offset=4 (local.get $weight)))
                (i32x4.dot_i16x8_s (local.get $right) (v128.load32_splat offset=12 (local.get $weight))))))
          (local.set $pixels (v128.load align=1 (i32.add (local.get $from) (local.get $inStride))))
          (local.set $left
            (i8x16.swizzle (local.get $pixels)
              (v128.const i8x16 0 255 3 255 1 255 4 255 2 255 5 255 255 255 255 255)))
          (local.set $right
            (i8x16.swizzle (local.get $pixels)
              (v128.const i8x16 6 255 9 255 7 255 10 255 8 255 11 255 255 255 255 255)))
          (local.set $hiBelow
            (i32x4.add (local.get $hiBelow)
              (i32x4.add
                (i32x4.dot_i16x8_s (local.get $left) (v128.load32_splat (local.get $weight)))
                (i32x4.dot_i16x8_s (local.get $right) (v128.load32_splat offset=8 (local.get $weight))))))
          (local.set $loBelow
            (i32x4.add (local.get $loBelow)
              (i32x4.add
                (i32x4.dot_i16x8_s (local.get $left) (v128.load32_splat offset=4 (local.get $weight)))
                (i32x4.dot_i16x8_s (local.get $right) (v128.load32_splat offset=12 (local.get $weight))))))
          (local.set $from (i32.add (local.get $from) (i32.const 12)))
          (local.set $weight (i32.add (local.get $weight) (i32.const 16)))
          (br_if $taps (i32.lt_u (local.get $weight) (local.get $end))))
        (local.set $hi
          (i32x4.shr_s (i32x4.add (i32x4.shl (local.get $hi) (i32.const 8)) (local.get $lo)) (i32.const 22)))
        (local.set $hiBelow
          (i32x4.shr_s
            (i32x4.add (i32x4.shl (local.get $hiBelow) (i32.const 8)) (local.get $loBelow))
            (i32.const 22)))
        ;; Narrowing clips to 0 … 255.
        (local.set $hi (i16x8.narrow_i32x4_s (local.get $hi) (local.get $hiBelow)))
        (local.set $hi (i8x16.narrow_i16x8_u (local.get $hi) (local.get $hi)))
        ;; A byte too many would fall on the beginning of the row below, which is there already.
        (v128.store16_lane align=1 0 (local.get $out) (local.get $hi))
        (v128.store8_lane offset=2 2 (local.get $out) (local.get $hi))
        (v128.store32_lane align=1 1 (i32.add (local.get $out) (local.get $outStride)) (local.get $hi))
        (local.set $out (i32.add (local.get $out) (i32.const 3)))
        (local.set $x (i32.add (local.get $x) (i32.const 1)))
        (br_if $pixel (i32.lt_u (local.get $x) (local.get $outWidth))))
      (local.set $in (i32.add (local.get $in) (i32.shl (local.get $inStride) (i32.const 1))))
      (local.set $out (i32.add (local.get $out) (local.get $outStride)))
      (local.set $height (i32.sub (local.get $height) (i32.const 2)))
      (br_if $rows (i32.gt_s (local.get $height) (i32.const 0)))))

  ;; Along the columns: out[y] = sum of in[first[y] + k] weight[y][k], sixteen bytes of a row at a time.
  (func (export "columns")
    (param $in i32) (param $stride i32) (param $out i32) (param $outHeight i32)
    (param $first i32) (param $pairs i32) (param $weights i32) (param $weightBytes i32)
    (local $column i32) (local $from i32) (local $weight i32) (local $end i32)
    (local $one v128) (local $two v128) (local $both v128) (local $hi v128) (local $lo v128)
    (local $hi0 v128) (local $hi1 v128) (local $hi2 v128) (local $hi3 v128)
    (local $lo0 v128) (local $lo1 v128) (local $lo2 v128) (local $lo3 v128)
    (block $done
      (loop $row
        (br_if $done (i32.eqz (local.get $outHeight)))
        (local.set $column (i32.const 0))
        (local.set $end
          (i32.add (local.get $weights) (i32.shl (i32.load (local.get $pairs)) (i32.const 3))))
        (loop $sixteen
          (local.set $from
            (i32.add (i32.add (local.get $in) (local.get $column))
              (i32.mul (i32.load (local.get $first)) (local.get $stride))))
          (local.set $weight (local.get $weights))
          (local.set $hi0 (v128.const i32x4 0 0 0 0))
          (local.set $hi1 (v128.const i32x4 0 0 0 0))
          (local.set $hi2 (v128.const i32x4 0 0 0 0))
          (local.set $hi3 (v128.const i32x4 0 0 0 0))
          (local.set $lo0 (v128.const i32x4 0x200000 0x200000 0x200000 0x200000))
          (local.set $lo1 (local.get $lo0))
          (local.set $lo2 (local.get $lo0))
          (local.set $lo3 (local.get $lo0))
          (loop $taps
            (local.set $one (v128.load align=1 (local.get $from)))
            (local.set $from (i32.add (local.get $from) (local.get $stride)))
            (local.set $two (v128.load align=1 (local.get $from)))
            (local.set $from (i32.add (local.get $from) (local.get $stride)))
            (local.set $hi (v128.load32_splat (local.get $weight)))
            (local.set $lo (v128.load32_splat offset=4 (local.get $weight)))
            (local.set $weight (i32.add (local.get $weight) (i32.const 8)))
            ;; The bytes of the two rows in turn, first those of columns 0 … 7, then those of 8 … 15.
            (local.set $both
              (i8x16.shuffle 0 16 1 17 2 18 3 19 4 20 5 21 6 22 7 23 (local.get $one) (local.get $two)))
            (local.set $two
              (i8x16.shuffle 8 24 9 25 10 26 11 27 12 28 13 29 14 30 15 31 (local.get $one) (local.get $two)))
            (local.set $one (i16x8.extend_low_i8x16_u (local.get $both)))
            (local.set $both (i16x8.extend_high_i8x16_u (local.get $both)))
            (local.set $hi0
              (i32x4.add (local.get $hi0) (i32x4.dot_i16x8_s (local.get $one) (local.get $hi))))
            (local.set $lo0
              (i32x4.add (local.get $lo0) (i32x4.dot_i16x8_s (local.get $one) (local.get $lo))))
            (local.set $hi1
              (i32x4.add (local.get $hi1) (i32x4.dot_i16x8_s (local.get $both) (local.get $hi))))
            (local.set $lo1
              (i32x4.add (local.get $lo1) (i32x4.dot_i16x8_s (local.get $both) (local.get $lo))))
            (local.set $one (i16x8.extend_low_i8x16_u (local.get $two)))
            (local.set $two (i16x8.extend_high_i8x16_u (local.get $two)))
            (local.set $hi2
              (i32x4.add (local.get $hi2) (i32x4.dot_i16x8_s (local.get $one) (local.get $hi))))
            (local.set $lo2
              (i32x4.add (local.get $lo2) (i32x4.dot_i16x8_s (local.get $one) (local.get $lo))))
            (local.set $hi3
              (i32x4.add (local.get $hi3) (i32x4.dot_i16x8_s (local.get $two) (local.get $hi))))
            (local.set $lo3
              (i32x4.add (local.get $lo3) (i32x4.dot_i16x8_s (local.get $two) (local.get $lo))))
            (br_if $taps (i32.lt_u (local.get $weight) (local.get $end))))
          (local.set $hi0
            (i32x4.shr_s (i32x4.add (i32x4.shl (local.get $hi0) (i32.const 8)) (local.get $lo0)) (i32.const 22)))
          (local.set $hi1
            (i32x4.shr_s (i32x4.add (i32x4.shl (local.get $hi1) (i32.const 8)) (local.get $lo1)) (i32.const 22)))
          (local.set $hi2
            (i32x4.shr_s (i32x4.add (i32x4.shl (local.get $hi2) (i32.const 8)) (local.get $lo2)) (i32.const 22)))
          (local.set $hi3
            (i32x4.shr_s (i32x4.add (i32x4.shl (local.get $hi3) (i32.const 8)) (local.get $lo3)) (i32.const 22)))
          (v128.store align=1 (i32.add (local.get $out) (local.get $column))
            (i8x16.narrow_i16x8_u
              (i16x8.narrow_i32x4_s (local.get $hi0) (local.get $hi1))
              (i16x8.narrow_i32x4_s (local.get $hi2) (local.get $hi3))))
          (local.set $column (i32.add (local.get $column) (i32.const 16)))
          (br_if $sixteen (i32.lt_u (local.get $column) (local.get $stride))))
        (local.set $out (i32.add (local.get $out) (local.get $stride)))
        (local.set $first (i32.add (local.get $first) (i32.const 4)))
        (local.set $pairs (i32.add (local.get $pairs) (i32.const 4)))
        (local.set $weights (i32.add (local.get $weights) (local.get $weightBytes)))
        (local.set $outHeight (i32.sub (local.get $outHeight) (i32.const 1)))
        (br $row)))))
