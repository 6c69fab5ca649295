;; The costly half of a baseline JPEG decoder, in linear memory; decode-jpeg.ts lays the memory out and reads the headers.
;;
;; Integers and their rounding are those of libjpeg-turbo (jidctint.c, jdsample.c, jdcolor.c), whose SIMD code gives the
;; same bytes. What the standard does not allow ends in -1; nothing else is checked here.
(module
  (memory (export "memory") 2)

  ;; Scratch at the beginning of memory: 64 coefficients of a block as int16, as many intermediate values, the byte offset
  ;; of each coefficient of the zigzag order within the block (80 of them: a run may lead beyond the last), a position.
  (global $block i32 (i32.const 0))
  (global $between i32 (i32.const 128))
  (global $zigzag i32 (i32.const 256))
  (global $marker i32 (i32.const 336))

  ;; Copies entropy-coded bytes without the zeros that are stuffed behind 0xff, up to a marker, whose address is left at
  ;; $marker. The copy is written backwards, down from $out, so that an integer that is loaded has its first bit highest.
  ;; @returns where the copy's last byte is
  (func (export "unstuff") (param $in i32) (param $end i32) (param $out i32) (result i32)
    (local $bytes v128) (local $byte i32)
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $in) (local.get $end)))
        (if (i32.le_u (i32.add (local.get $in) (i32.const 16)) (local.get $end))
          (then
            (local.set $bytes (v128.load align=1 (local.get $in)))
            (if (i32.eqz (v128.any_true (i8x16.eq (local.get $bytes) (v128.const i32x4 -1 -1 -1 -1))))
              (then
                (local.set $in (i32.add (local.get $in) (i32.const 16)))
                (local.set $out (i32.sub (local.get $out) (i32.const 16)))
                (v128.store align=1 (local.get $out)
                  (i8x16.swizzle (local.get $bytes) (v128.const i8x16 15 14 13 12 11 10 9 8 7 6 5 4 3 2 1 0)))
                (br $next)))))
        (local.set $byte (i32.load8_u (local.get $in)))
        (local.set $in (i32.add (local.get $in) (i32.const 1)))
        (if (i32.eq (local.get $byte) (i32.const 255))
          (then
            (if (i32.load8_u (local.get $in))
              (then
                (local.set $in (i32.sub (local.get $in) (i32.const 1)))
                (br $done)))
            (local.set $in (i32.add (local.get $in) (i32.const 1)))))
        (local.set $out (i32.sub (local.get $out) (i32.const 1)))
        (i32.store8 (local.get $out) (local.get $byte))
        (br $next)))
    (i32.store (global.get $marker) (local.get $in))
    (local.get $out))

  ;; Decodes MCUs up to the next restart marker (ITU T.81, F.2.2), and puts their samples into the components' planes.
  ;;
  ;; $blocks … $blocksEnd describe the blocks of an MCU, eight int32 each: the tables for DC and AC, the quantisation
  ;; steps in zigzag order (int32), where the block's samples go, the bytes from one row of them to the next, from one MCU
  ;; to the next, from the end of a row of MCUs to the next row, and where the component's last DC value is.
  ;; The bytes lie backwards, from $in down to $end, both less eight.
  ;; @returns the column of the MCU that follows, -1 where the bytes are damaged, too few or too many
  (func (export "segment")
    (param $in i32) (param $end i32) (param $blocks i32) (param $blocksEnd i32)
    (param $mcus i32) (param $column i32) (param $columns i32) (result i32)
    ;; The next bits, the first one highest, and how many there are.
    (local $bits i64) (local $count i32)
    (local $at i32) (local $table i32) (local $steps i32) (local $entry i32) (local $behind i64)
    (local $size i32) (local $run i32)
    (local $value i32) (local $dc i32) (local $k i32) (local $out i32) (local $stride i32) (local $eight i64)
    (loop $mcu
      (local.set $at (local.get $blocks))
      (loop $nextBlock
        (local.set $steps (i32.load offset=8 (local.get $at)))
        (local.set $table (i32.load (local.get $at)))
        (local.set $k (i32.const 0))
        (block $ended
          (loop $symbol
            ;; A code and the bits behind it have at most 31. Whole bytes are added until there are more than 55 bits; what
            ;; comes of another one is the same when that is added. Always, as a branch would often be foretold wrongly.
            (local.set $bits
              (i64.or (local.get $bits)
                (i64.shr_u (i64.load align=1 (local.get $in)) (i64.extend_i32_u (local.get $count)))))
            (local.set $in
              (i32.sub (local.get $in) (i32.shr_u (i32.sub (i32.const 63) (local.get $count)) (i32.const 3))))
            (local.set $count (i32.or (local.get $count) (i32.const 56)))
            (local.set $entry
              (i32.load
                (i32.add (local.get $table)
                  (i32.shl (i32.wrap_i64 (i64.shr_u (local.get $bits) (i64.const 54))) (i32.const 2)))))
            (if (i32.eqz (local.get $entry))
              (then
                (local.set $entry
                  (call $longCode (local.get $table)
                    (i32.wrap_i64 (i64.shr_u (local.get $bits) (i64.const 48)))))
                (if (i32.eqz (local.get $entry)) (then (return (i32.const -1))))))
            ;; The value's bits first. The next code is looked for at once, without waiting for the value.
            (local.set $behind
              (i64.shl (local.get $bits) (i64.extend_i32_u (i32.shr_u (local.get $entry) (i32.const 16)))))
            (local.set $bits (i64.shl (local.get $bits) (i64.extend_i32_u (local.get $entry))))
            (local.set $count (i32.sub (local.get $count) (i32.and (local.get $entry) (i32.const 255))))
            (local.set $size (i32.and (i32.shr_u (local.get $entry) (i32.const 8)) (i32.const 15)))
            (local.set $run (i32.and (i32.shr_u (local.get $entry) (i32.const 12)) (i32.const 15)))
            ;; So many bits, a number from -(2^size - 1) to 2^size - 1 whose first bit is its sign.
            (local.set $value
              (i32.add
                (i32.wrap_i64
                  (i64.shr_u (i64.shr_u (local.get $behind) (i64.const 1))
                    (i64.extend_i32_u (i32.sub (i32.const 63) (local.get $size)))))
                (i32.and
                  (i32.xor (i32.wrap_i64 (i64.shr_s (local.get $behind) (i64.const 63))) (i32.const -1))
                  (i32.add (i32.shl (i32.const -1) (local.get $size)) (i32.const 1)))))
            (if (local.get $k)
              (then
                (if (i32.eqz (local.get $size))
                  (then
                    ;; Sixteen zeros, or the end of the block.
                    (br_if $ended (i32.ne (local.get $run) (i32.const 15)))
                    (local.set $k (i32.add (local.get $k) (i32.const 16)))
                    (br_if $symbol (i32.lt_u (local.get $k) (i32.const 64)))
                    (return (i32.const -1))))
                (local.set $k (i32.add (local.get $k) (local.get $run))))
              (else
                (local.set $value
                  (i32.add (local.get $value) (i32.load (i32.load offset=28 (local.get $at)))))
                (i32.store (i32.load offset=28 (local.get $at)) (local.get $value))
                (local.set $dc
                  (i32.extend16_s (i32.mul (local.get $value) (i32.load (local.get $steps)))))
                (local.set $table (i32.load offset=4 (local.get $at)))))
            (i32.store16
              (i32.load8_u (i32.add (global.get $zigzag) (local.get $k)))
              (i32.mul (local.get $value)
                (i32.load (i32.add (local.get $steps) (i32.shl (local.get $k) (i32.const 2))))))
            (local.set $k (i32.add (local.get $k) (i32.const 1)))
            (br_if $symbol (i32.lt_u (local.get $k) (i32.const 64)))
            (if (i32.gt_u (local.get $k) (i32.const 64)) (then (return (i32.const -1))))))
        (local.set $out (i32.load offset=12 (local.get $at)))
        (local.set $stride (i32.load offset=16 (local.get $at)))
        (if (i32.eq (local.get $k) (i32.const 1))
          (then
            ;; A block of one colour: what the transform gives where there is DC alone.
            (local.set $value
              (i32.add (i32.shr_s (i32.add (i32.shl (local.get $dc) (i32.const 2)) (i32.const 16)) (i32.const 5))
                (i32.const 128)))
            (local.set $value (select (local.get $value) (i32.const 0) (i32.gt_s (local.get $value) (i32.const 0))))
            (local.set $value
              (select (local.get $value) (i32.const 255) (i32.lt_s (local.get $value) (i32.const 255))))
            (local.set $eight
              (i64.mul (i64.extend_i32_u (local.get $value)) (i64.const 0x0101010101010101)))
            (local.set $k (i32.const 8))
            (loop $row
              (i64.store align=1 (local.get $out) (local.get $eight))
              (local.set $out (i32.add (local.get $out) (local.get $stride)))
              (local.set $k (i32.sub (local.get $k) (i32.const 1)))
              (br_if $row (local.get $k)))
            (i32.store16 (global.get $block) (i32.const 0)))
          (else (call $inverseTransform (local.get $out) (local.get $stride))))
        (i32.store offset=12 (local.get $at)
          (i32.add (i32.load offset=12 (local.get $at)) (i32.load offset=20 (local.get $at))))
        (local.set $at (i32.add (local.get $at) (i32.const 32)))
        (br_if $nextBlock (i32.lt_u (local.get $at) (local.get $blocksEnd))))
      ;; Zeros may have been read behind the end.
      (if (i32.lt_s (i32.add (local.get $in) (i32.shr_u (local.get $count) (i32.const 3))) (local.get $end))
        (then (return (i32.const -1))))
      (local.set $column (i32.add (local.get $column) (i32.const 1)))
      (if (i32.eq (local.get $column) (local.get $columns))
        (then
          (local.set $column (i32.const 0))
          (local.set $at (local.get $blocks))
          (loop $nextRow
            (i32.store offset=12 (local.get $at)
              (i32.add (i32.load offset=12 (local.get $at)) (i32.load offset=24 (local.get $at))))
            (local.set $at (i32.add (local.get $at) (i32.const 32)))
            (br_if $nextRow (i32.lt_u (local.get $at) (local.get $blocksEnd))))))
      (local.set $mcus (i32.sub (local.get $mcus) (i32.const 1)))
      (br_if $mcu (local.get $mcus)))
    (select (local.get $column) (i32.const -1)
      (i32.eq (i32.add (local.get $in) (i32.shr_u (local.get $count) (i32.const 3))) (local.get $end))))

  ;; The table's entry for a code of 11 to 16 bits, by the next 16 bits; 0 where there is no such code. Behind the table's
  ;; 1,024 entries are, by length, the first 16 bits that are beyond its codes, and what to add for a place among the values.
  (func $longCode (param $table i32) (param $bits i32) (result i32)
    (local $length i32) (local $at i32) (local $symbol i32)
    (local.set $length (i32.const 11))
    (loop $longer
      (local.set $at (i32.add (local.get $table) (i32.shl (local.get $length) (i32.const 2))))
      (if (i32.lt_u (local.get $bits) (i32.load offset=4096 (local.get $at)))
        (then
          (local.set $symbol
            (i32.load8_u offset=4232
              (i32.add (local.get $table)
                (i32.and (i32.const 255)
                  (i32.add
                    (i32.shr_u (local.get $bits) (i32.sub (i32.const 16) (local.get $length)))
                    (i32.load offset=4164 (local.get $at)))))))
          (return
            (i32.add
              (i32.mul (local.get $length) (i32.const 0x10001))
              (i32.add (i32.shl (local.get $symbol) (i32.const 8))
                (i32.and (local.get $symbol) (i32.const 15)))))))
      (local.set $length (i32.add (local.get $length) (i32.const 1)))
      (br_if $longer (i32.le_u (local.get $length) (i32.const 16))))
    (i32.const 0))

  ;; The inverse cosine transform of the block, as samples; leaves zeros in the block.
  (func $inverseTransform (param $out i32) (param $stride i32)
    (local $row i32) (local $two v128)
    (call $fourColumns (i32.const 0) (i32.const 128) (i32.const 11))
    (call $fourColumns (i32.const 8) (i32.const 192) (i32.const 11))
    (call $fourColumns (i32.const 128) (i32.const 0) (i32.const 18))
    (call $fourColumns (i32.const 136) (i32.const 64) (i32.const 18))
    (loop $rows
      (local.set $two
        (v128.xor (v128.const i32x4 0x80808080 0x80808080 0x80808080 0x80808080)
          (i8x16.narrow_i16x8_s (v128.load (local.get $row)) (v128.load offset=16 (local.get $row)))))
      (v128.store (local.get $row) (v128.const i32x4 0 0 0 0))
      (v128.store offset=16 (local.get $row) (v128.const i32x4 0 0 0 0))
      (v128.store64_lane align=1 0 (local.get $out) (local.get $two))
      (local.set $out (i32.add (local.get $out) (local.get $stride)))
      (v128.store64_lane align=1 1 (local.get $out) (local.get $two))
      (local.set $out (i32.add (local.get $out) (local.get $stride)))
      (local.set $row (i32.add (local.get $row) (i32.const 32)))
      (br_if $rows (i32.lt_u (local.get $row) (i32.const 128)))))

  ;; One pass over four columns of eight int16, which become four rows: Loeffler, Ligtenberg and Moschytz' transform with
  ;; 13 fractional bits, its products in pairs.
  (func $fourColumns (param $from i32) (param $to i32) (param $shift i32)
    (local $pair v128) (local $half v128)
    (local $even0 v128) (local $even1 v128) (local $even2 v128) (local $even3 v128)
    (local $odd0 v128) (local $odd1 v128) (local $odd2 v128) (local $odd3 v128)
    (local $in1 v128) (local $in3 v128) (local $in5 v128) (local $in7 v128)
    (local $sum3 v128) (local $sum4 v128)
    ;; Half, for rounding.
    (local.set $half (i32x4.splat (i32.shl (i32.const 1) (i32.sub (local.get $shift) (i32.const 1)))))
    (local.set $pair
      (i8x16.shuffle 0 1 16 17 2 3 18 19 4 5 20 21 6 7 22 23
        (v128.load64_zero (local.get $from)) (v128.load64_zero offset=64 (local.get $from))))
    (local.set $odd0
      (i32x4.add (local.get $half)
        (i32x4.dot_i16x8_s (local.get $pair) (v128.const i16x8 8192 8192 8192 8192 8192 8192 8192 8192))))
    (local.set $odd1
      (i32x4.add (local.get $half)
        (i32x4.dot_i16x8_s (local.get $pair) (v128.const i16x8 8192 -8192 8192 -8192 8192 -8192 8192 -8192))))
    (local.set $pair
      (i8x16.shuffle 0 1 16 17 2 3 18 19 4 5 20 21 6 7 22 23
        (v128.load64_zero offset=32 (local.get $from)) (v128.load64_zero offset=96 (local.get $from))))
    (local.set $odd2
      (i32x4.dot_i16x8_s (local.get $pair) (v128.const i16x8 4433 -10704 4433 -10704 4433 -10704 4433 -10704)))
    (local.set $odd3
      (i32x4.dot_i16x8_s (local.get $pair) (v128.const i16x8 10703 4433 10703 4433 10703 4433 10703 4433)))
    (local.set $even0 (i32x4.add (local.get $odd0) (local.get $odd3)))
    (local.set $even3 (i32x4.sub (local.get $odd0) (local.get $odd3)))
    (local.set $even1 (i32x4.add (local.get $odd1) (local.get $odd2)))
    (local.set $even2 (i32x4.sub (local.get $odd1) (local.get $odd2)))
    (local.set $in1 (v128.load64_zero offset=16 (local.get $from)))
    (local.set $in3 (v128.load64_zero offset=48 (local.get $from)))
    (local.set $in5 (v128.load64_zero offset=80 (local.get $from)))
    (local.set $in7 (v128.load64_zero offset=112 (local.get $from)))
    (local.set $pair
      (i8x16.shuffle 0 1 16 17 2 3 18 19 4 5 20 21 6 7 22 23
        (i16x8.add (local.get $in3) (local.get $in7)) (i16x8.add (local.get $in1) (local.get $in5))))
    (local.set $sum3
      (i32x4.dot_i16x8_s (local.get $pair) (v128.const i16x8 -6436 9633 -6436 9633 -6436 9633 -6436 9633)))
    (local.set $sum4
      (i32x4.dot_i16x8_s (local.get $pair) (v128.const i16x8 9633 6437 9633 6437 9633 6437 9633 6437)))
    (local.set $pair
      (i8x16.shuffle 0 1 16 17 2 3 18 19 4 5 20 21 6 7 22 23 (local.get $in7) (local.get $in1)))
    (local.set $odd0
      (i32x4.add (local.get $sum3)
        (i32x4.dot_i16x8_s (local.get $pair) (v128.const i16x8 -4927 -7373 -4927 -7373 -4927 -7373 -4927 -7373))))
    (local.set $odd3
      (i32x4.add (local.get $sum4)
        (i32x4.dot_i16x8_s (local.get $pair) (v128.const i16x8 -7373 4926 -7373 4926 -7373 4926 -7373 4926))))
    (local.set $pair
      (i8x16.shuffle 0 1 16 17 2 3 18 19 4 5 20 21 6 7 22 23 (local.get $in5) (local.get $in3)))
    (local.set $odd1
      (i32x4.add (local.get $sum4)
        (i32x4.dot_i16x8_s (local.get $pair)
          (v128.const i16x8 -4176 -20995 -4176 -20995 -4176 -20995 -4176 -20995))))
    (local.set $odd2
      (i32x4.add (local.get $sum3)
        (i32x4.dot_i16x8_s (local.get $pair) (v128.const i16x8 -20995 4177 -20995 4177 -20995 4177 -20995 4177))))
    ;; Outputs 0 and 1, 2 and 3, 4 and 5, 6 and 7, each pair then in turn.
    (local.set $in1
      (i16x8.narrow_i32x4_s
        (i32x4.shr_s (i32x4.add (local.get $even0) (local.get $odd3)) (local.get $shift))
        (i32x4.shr_s (i32x4.add (local.get $even1) (local.get $odd2)) (local.get $shift))))
    (local.set $in3
      (i16x8.narrow_i32x4_s
        (i32x4.shr_s (i32x4.add (local.get $even2) (local.get $odd1)) (local.get $shift))
        (i32x4.shr_s (i32x4.add (local.get $even3) (local.get $odd0)) (local.get $shift))))
    (local.set $in5
      (i16x8.narrow_i32x4_s
        (i32x4.shr_s (i32x4.sub (local.get $even3) (local.get $odd0)) (local.get $shift))
        (i32x4.shr_s (i32x4.sub (local.get $even2) (local.get $odd1)) (local.get $shift))))
    (local.set $in7
      (i16x8.narrow_i32x4_s
        (i32x4.shr_s (i32x4.sub (local.get $even1) (local.get $odd2)) (local.get $shift))
        (i32x4.shr_s (i32x4.sub (local.get $even0) (local.get $odd3)) (local.get $shift))))
    (local.set $in1
      (i8x16.shuffle 0 1 8 9 2 3 10 11 4 5 12 13 6 7 14 15 (local.get $in1) (local.get $in1)))
    (local.set $in3
      (i8x16.shuffle 0 1 8 9 2 3 10 11 4 5 12 13 6 7 14 15 (local.get $in3) (local.get $in3)))
    (local.set $in5
      (i8x16.shuffle 0 1 8 9 2 3 10 11 4 5 12 13 6 7 14 15 (local.get $in5) (local.get $in5)))
    (local.set $in7
      (i8x16.shuffle 0 1 8 9 2 3 10 11 4 5 12 13 6 7 14 15 (local.get $in7) (local.get $in7)))
    ;; Outputs 0 to 3 of two columns, then outputs 4 to 7.
    (local.set $even0
      (i8x16.shuffle 0 1 2 3 16 17 18 19 4 5 6 7 20 21 22 23 (local.get $in1) (local.get $in3)))
    (local.set $even1
      (i8x16.shuffle 8 9 10 11 24 25 26 27 12 13 14 15 28 29 30 31 (local.get $in1) (local.get $in3)))
    (local.set $odd0
      (i8x16.shuffle 0 1 2 3 16 17 18 19 4 5 6 7 20 21 22 23 (local.get $in5) (local.get $in7)))
    (local.set $odd1
      (i8x16.shuffle 8 9 10 11 24 25 26 27 12 13 14 15 28 29 30 31 (local.get $in5) (local.get $in7)))
    (v128.store (local.get $to)
      (i8x16.shuffle 0 1 2 3 4 5 6 7 16 17 18 19 20 21 22 23 (local.get $even0) (local.get $odd0)))
    (v128.store offset=16 (local.get $to)
      (i8x16.shuffle 8 9 10 11 12 13 14 15 24 25 26 27 28 29 30 31 (local.get $even0) (local.get $odd0)))
    (v128.store offset=32 (local.get $to)
      (i8x16.shuffle 0 1 2 3 4 5 6 7 16 17 18 19 20 21 22 23 (local.get $even1) (local.get $odd1)))
    (v128.store offset=48 (local.get $to)
      (i8x16.shuffle 8 9 10 11 12 13 14 15 24 25 26 27 28 29 30 31 (local.get $even1) (local.get $odd1))))

  ;; RGB of three planes. The two of colour have half the columns where $across is 2, and half the rows where $down is 2;
  ;; $rows has room for two rows of samples and one of sums.
  (func (export "rgb")
    (param $y i32) (param $stride i32) (param $width i32) (param $height i32)
    (param $cb i32) (param $cr i32) (param $colorStride i32) (param $colorWidth i32) (param $colorHeight i32)
    (param $across i32) (param $down i32) (param $rows i32) (param $out i32)
    (local $row i32) (local $near i32) (local $far i32) (local $even i32) (local $odd i32)
    (local $cbRow i32) (local $crRow i32) (local $sums i32)
    (local.set $cbRow (local.get $cb))
    (local.set $crRow (local.get $cr))
    (loop $next
      (if (i32.eq (local.get $across) (i32.const 2))
        (then
          (local.set $near (i32.shr_u (local.get $row) (i32.sub (local.get $down) (i32.const 1))))
          (local.set $far (local.get $near))
          (local.set $even (i32.const 4))
          (local.set $odd (i32.const 8))
          (if (i32.eq (local.get $down) (i32.const 2))
            (then
              (local.set $far
                (i32.sub (i32.add (local.get $near) (i32.shl (i32.and (local.get $row) (i32.const 1)) (i32.const 1)))
                  (i32.const 1)))
              (if (i32.or (i32.lt_s (local.get $far) (i32.const 0))
                  (i32.ge_s (local.get $far) (local.get $colorHeight)))
                (then (local.set $far (local.get $near))))
              (local.set $even (i32.const 8))
              (local.set $odd (i32.const 7))))
          (local.set $near (i32.mul (local.get $near) (local.get $colorStride)))
          (local.set $far (i32.mul (local.get $far) (local.get $colorStride)))
          (local.set $cbRow (local.get $rows))
          (local.set $crRow (i32.add (local.get $cbRow) (local.get $stride)))
          (local.set $sums (i32.add (i32.add (local.get $crRow) (local.get $stride)) (i32.const 16)))
          (call $widen
            (i32.add (local.get $cb) (local.get $near)) (i32.add (local.get $cb) (local.get $far))
            (local.get $colorWidth) (local.get $even) (local.get $odd) (local.get $sums) (local.get $cbRow))
          (call $widen
            (i32.add (local.get $cr) (local.get $near)) (i32.add (local.get $cr) (local.get $far))
            (local.get $colorWidth) (local.get $even) (local.get $odd) (local.get $sums) (local.get $crRow))))
      (call $colors (local.get $y) (local.get $cbRow) (local.get $crRow) (local.get $width) (local.get $out))
      (if (i32.eq (local.get $across) (i32.const 1))
        (then
          (local.set $cbRow (i32.add (local.get $cbRow) (local.get $colorStride)))
          (local.set $crRow (i32.add (local.get $crRow) (local.get $colorStride)))))
      (local.set $y (i32.add (local.get $y) (local.get $stride)))
      (local.set $out (i32.add (local.get $out) (i32.mul (i32.const 3) (local.get $width))))
      (local.set $row (i32.add (local.get $row) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $row) (local.get $height)))))

  ;; Twice as many samples as a row has: each is three parts of the near sample and one of the far one, along the columns
  ;; ($near and $far are rows, the same where there is nothing to do) and along the row ("fancy upsampling").
  (func $widen
    (param $near i32) (param $far i32) (param $width i32) (param $even i32) (param $odd i32)
    (param $sums i32) (param $out i32)
    (local $i i32) (local $sum v128) (local $left v128) (local $right v128)
    (loop $next
      (local.set $sum (v128.load8x8_u align=1 (i32.add (local.get $near) (local.get $i))))
      (v128.store align=1 (i32.add (local.get $sums) (i32.shl (local.get $i) (i32.const 1)))
        (i16x8.add (v128.load8x8_u align=1 (i32.add (local.get $far) (local.get $i)))
          (i16x8.add (local.get $sum) (i16x8.add (local.get $sum) (local.get $sum)))))
      (local.set $i (i32.add (local.get $i) (i32.const 8)))
      (br_if $next (i32.lt_u (local.get $i) (local.get $width))))
    ;; Beyond its ends a row goes on as it ends.
    (i32.store16 (i32.sub (local.get $sums) (i32.const 2)) (i32.load16_u (local.get $sums)))
    (local.set $i (i32.add (local.get $sums) (i32.shl (local.get $width) (i32.const 1))))
    (i32.store16 (local.get $i) (i32.load16_u (i32.sub (local.get $i) (i32.const 2))))
    (local.set $left (i16x8.splat (local.get $even)))
    (local.set $right (i16x8.splat (local.get $odd)))
    (local.set $i (i32.const 0))
    (loop $next
      (local.set $sum (v128.load align=1 (i32.add (local.get $sums) (local.get $i))))
      (local.set $sum (i16x8.add (local.get $sum) (i16x8.add (local.get $sum) (local.get $sum))))
      (v128.store align=1 (i32.add (local.get $out) (local.get $i))
        (v128.or
          (i16x8.shr_u
            (i16x8.add (i16x8.add (local.get $sum) (local.get $left))
              (v128.load align=1 (i32.sub (i32.add (local.get $sums) (local.get $i)) (i32.const 2))))
            (i32.const 4))
          (i16x8.shl
            (i16x8.shr_u
              (i16x8.add (i16x8.add (local.get $sum) (local.get $right))
                (v128.load offset=2 align=1 (i32.add (local.get $sums) (local.get $i))))
              (i32.const 4))
            (i32.const 8))))
      (local.set $i (i32.add (local.get $i) (i32.const 16)))
      (br_if $next (i32.lt_u (local.get $i) (i32.shl (local.get $width) (i32.const 1))))))

  ;; A row of RGB, sixteen pixels at a time, by JFIF's formulas in 16-bit fixed point:
  ;; R = Y + 1.402 Cr, G = Y - 0.34414 Cb - 0.71414 Cr, B = Y + 1.772 Cb.
  (func $colors (param $y i32) (param $cb i32) (param $cr i32) (param $width i32) (param $out i32)
    (local $end i32) (local $pass i32)
    (local $luma v128) (local $blue v128) (local $red v128) (local $low v128) (local $high v128) (local $half v128)
    (local $r v128) (local $g v128) (local $b v128) (local $r0 v128) (local $g0 v128) (local $b0 v128)
    (local.set $half (v128.const i32x4 32768 32768 32768 32768))
    (local.set $end (i32.add (local.get $y) (local.get $width)))
    (loop $sixteen
      (local.set $pass (i32.const 0))
      (loop $eight
        (local.set $luma (v128.load8x8_u align=1 (i32.add (local.get $y) (local.get $pass))))
        (local.set $blue
          (i16x8.sub (v128.load8x8_u align=1 (i32.add (local.get $cb) (local.get $pass)))
            (v128.const i16x8 128 128 128 128 128 128 128 128)))
        (local.set $red
          (i16x8.sub (v128.load8x8_u align=1 (i32.add (local.get $cr) (local.get $pass)))
            (v128.const i16x8 128 128 128 128 128 128 128 128)))
        (local.set $low
          (i8x16.shuffle 0 1 16 17 2 3 18 19 4 5 20 21 6 7 22 23 (local.get $blue) (local.get $red)))
        (local.set $high
          (i8x16.shuffle 8 9 24 25 10 11 26 27 12 13 28 29 14 15 30 31 (local.get $blue) (local.get $red)))
        ;; 1.402 is 1 + 13173 / 32768, 1.772 is 2 - 7471 / 32768, -0.71414 is 18734 / 65536 - 1. libjpeg-turbo has 16 bits
        ;; for the first, 26345 / 65536, which rounds alike for all 256 values.
        (local.set $r
          (i16x8.add (i16x8.add (local.get $luma) (local.get $red))
            (i16x8.q15mulr_sat_s (local.get $red)
              (v128.const i16x8 13173 13173 13173 13173 13173 13173 13173 13173))))
        (local.set $g
          (i16x8.add (i16x8.sub (local.get $luma) (local.get $red))
            (i16x8.narrow_i32x4_s
              (i32x4.shr_s
                (i32x4.add (local.get $half)
                  (i32x4.dot_i16x8_s (local.get $low)
                    (v128.const i16x8 -22554 18734 -22554 18734 -22554 18734 -22554 18734)))
                (i32.const 16))
              (i32x4.shr_s
                (i32x4.add (local.get $half)
                  (i32x4.dot_i16x8_s (local.get $high)
                    (v128.const i16x8 -22554 18734 -22554 18734 -22554 18734 -22554 18734)))
                (i32.const 16)))))
        (local.set $b
          (i16x8.add
            (i16x8.add (local.get $luma) (i16x8.add (local.get $blue) (local.get $blue)))
            (i16x8.q15mulr_sat_s (local.get $blue)
              (v128.const i16x8 -7471 -7471 -7471 -7471 -7471 -7471 -7471 -7471))))
        (if (i32.eqz (local.get $pass))
          (then
            (local.set $r0 (local.get $r))
            (local.set $g0 (local.get $g))
            (local.set $b0 (local.get $b))
            (local.set $pass (i32.const 8))
            (br $eight))))
      (local.set $r (i8x16.narrow_i16x8_u (local.get $r0) (local.get $r)))
      (local.set $g (i8x16.narrow_i16x8_u (local.get $g0) (local.get $g)))
      (local.set $b (i8x16.narrow_i16x8_u (local.get $b0) (local.get $b)))
      (v128.store align=1 (local.get $out)
        (v128.or
          (v128.or
            (i8x16.swizzle (local.get $r)
              (v128.const i8x16 0 255 255 1 255 255 2 255 255 3 255 255 4 255 255 5))
            (i8x16.swizzle (local.get $g)
              (v128.const i8x16 255 0 255 255 1 255 255 2 255 255 3 255 255 4 255 255)))
          (i8x16.swizzle (local.get $b)
            (v128.const i8x16 255 255 0 255 255 1 255 255 2 255 255 3 255 255 4 255))))
      (v128.store offset=16 align=1 (local.get $out)
        (v128.or
          (v128.or
            (i8x16.swizzle (local.get $r)
              (v128.const i8x16 255 255 6 255 255 7 255 255 8 255 255 9 255 255 10 255))
            (i8x16.swizzle (local.get $g)
              (v128.const i8x16 5 255 255 6 255 255 7 255 255 8 255 255 9 255 255 10)))
          (i8x16.swizzle (local.get $b)
            (v128.const i8x16 255 5 255 255 6 255 255 7 255 255 8 255 255 9 255 255))))
      (v128.store offset=32 align=1 (local.get $out)
        (v128.or
          (v128.or
            (i8x16.swizzle (local.get $r)
              (v128.const i8x16 255 11 255 255 12 255 255 13 255 255 14 255 255 15 255 255))
            (i8x16.swizzle (local.get $g)
              (v128.const i8x16 255 255 11 255 255 12 255 255 13 255 255 14 255 255 15 255)))
          (i8x16.swizzle (local.get $b)
            (v128.const i8x16 10 255 255 11 255 255 12 255 255 13 255 255 14 255 255 15))))
      (local.set $y (i32.add (local.get $y) (i32.const 16)))
      (local.set $cb (i32.add (local.get $cb) (i32.const 16)))
      (local.set $cr (i32.add (local.get $cr) (i32.const 16)))
      (local.set $out (i32.add (local.get $out) (i32.const 48)))
      (br_if $sixteen (i32.lt_u (local.get $y) (local.get $end))))))
