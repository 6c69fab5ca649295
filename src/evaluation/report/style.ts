/**
 * The report's style sheet: light, dark where the reader's system is, and light in print. Colours are from Okabe and Ito
 * (2008), darkened or lightened until text in them has a contrast of 4.5 to 1.
 *
 * @param methods how many histograms there are to choose from
 */
export function style(methods: number): string {
  const picks = Array.from(
    { length: methods },
    (_, m) => `.set:has(.p${m}:checked) .h${m}{display:block}`,
  ).join('');
  return `
:root{color-scheme:light;--page:#f5f6f8;--card:#fff;--ink:#1a2027;--soft:#545e69;--line:#dde1e6;--grid:#e8ebee;--link:#0060a8;
--ind:#0072b2;--ood:#bf4400;--heat-rgb:#0068b0;--below-rgb:#d55e00;--mark:#1a2027;
--m0:#1a2027;--m1:#7a8691;--m2:#3a9bd9;--m3:#c98a00;--m4:#a8508f;--m5:#00855f;--m6:#8a5a2b;--m7:#5b5bb8;
--g4-ink:#0a5c3f;--g4:#d8f1e5;--g3-ink:#0b5a86;--g3:#d9edfa;--g2-ink:#6e4d00;--g2:#fbeccb;--g1-ink:#8f3200;--g1:#fce0d0;--g0-ink:#8a1c30;--g0:#fbdde1}
@media screen and (prefers-color-scheme:dark){:root{color-scheme:dark;--page:#0e1217;--card:#161c23;--ink:#e6eaee;--soft:#a0abb6;--line:#2b333c;--grid:#252d35;--link:#79bdf2;
--ind:#56b4f0;--ood:#ff9552;--heat-rgb:#4db2ff;--below-rgb:#ff8a3d;--mark:#fff;
--m0:#f4f6f8;--m1:#8d98a3;--m2:#56b4e9;--m3:#e6b33c;--m4:#d78fc2;--m5:#35c99a;--m6:#c99a6b;--m7:#a3a3f0;
--g4-ink:#8ee5c0;--g4:#103a2b;--g3-ink:#9bd5fb;--g3:#12344a;--g2-ink:#f3cf7a;--g2:#40310c;--g1-ink:#ffb48a;--g1:#46220f;--g0-ink:#ffaab7;--g0:#481a24}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;scroll-behavior:smooth}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;font-variant-numeric:tabular-nums}
header,main,footer{max-width:1280px;margin:0 auto;padding:0 24px}
header{padding-top:40px}
.kind{margin:0;color:var(--soft);font-size:14px}
h1{margin:0 0 20px;font-size:34px;line-height:1.2;overflow-wrap:anywhere}
h2{margin:0 0 4px;font-size:23px;line-height:1.3;overflow-wrap:anywhere;display:flex;flex-wrap:wrap;gap:4px 12px;align-items:center}
h4{margin:20px 0 8px;font-size:15px}
a{color:var(--link)}
code,pre{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.88em}
section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:24px;margin:24px 0}
footer{padding-top:4px;padding-bottom:40px;color:var(--soft);font-size:14px}
.lead{margin:0 0 18px;max-width:75ch}
.warnings{margin:10px 0 0;padding:0 0 0 18px;font-size:14px}
.caption,figcaption{color:var(--soft);font-size:13.5px;line-height:1.45;margin:6px 0 0}
figure{margin:0}
small{color:var(--soft);font-weight:400;font-size:.86em}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(190px,1fr));gap:12px 28px;margin:0 0 20px}
.facts dt{color:var(--soft);font-size:13.5px}
.facts dd{margin:0}
.facts b{display:block;font-size:23px;line-height:1.25;overflow-wrap:anywhere}
.facts span{color:var(--soft);font-size:13.5px;line-height:1.35;display:block}
nav{display:flex;flex-wrap:wrap;gap:4px 18px;font-size:14.5px;border-top:1px solid var(--line);padding-top:12px}
nav a{padding:2px 0;overflow-wrap:anywhere}
.badge{font-size:13px;font-weight:600;line-height:1.3;padding:3px 9px;border-radius:99px;white-space:nowrap;letter-spacing:0}
.g4{color:var(--g4-ink);background:var(--g4)}.g3{color:var(--g3-ink);background:var(--g3)}.g2{color:var(--g2-ink);background:var(--g2)}.g1{color:var(--g1-ink);background:var(--g1)}.g0{color:var(--g0-ink);background:var(--g0)}
.verdicts{list-style:none;margin:12px 0 24px;padding:0}
.verdicts li{display:grid;grid-template-columns:132px 1fr;gap:4px 16px;align-items:baseline;padding:7px 0;border-top:1px solid var(--grid)}
.verdicts .badge{justify-self:start}
.verdicts p{margin:0}
.verdicts a{font-weight:600;margin-right:6px;overflow-wrap:anywhere}
.scroll{overflow-x:auto;max-width:100%}
.scroll:focus-visible,pre:focus-visible{outline:2px solid var(--link);outline-offset:2px}
td,.overview thead th{white-space:nowrap}
table{border-collapse:collapse;font-size:14.5px;line-height:1.35;width:100%}
caption{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
th,td{padding:6px 10px;text-align:left;vertical-align:baseline;border-bottom:1px solid var(--grid)}
thead th{vertical-align:bottom;border-bottom:1px solid var(--soft);font-size:13.5px;white-space:nowrap}
tbody th{font-weight:500;position:sticky;left:0;background:var(--card)}
tbody tr:last-child>*{border-bottom:0}
.n{text-align:right}
td[data-above]{background:color-mix(in srgb,var(--heat-rgb) calc(var(--heat)*34%),transparent)}
td[data-below]{background:color-mix(in srgb,var(--below-rgb) calc(8% + var(--heat)*34%),transparent)}
.small{font-size:13px}.small th,.small td{padding:3px 10px}
.small .number{display:inline-block;min-width:2.2em;color:var(--soft);font-weight:400}
td[data-bar]{background:linear-gradient(to left,color-mix(in srgb,var(--ind) 26%,transparent) calc(var(--bar)*100%),transparent 0);min-width:120px}
details{margin-top:14px}#manifest details{margin-top:4px}#manifest .scroll{margin-bottom:12px}
summary{cursor:pointer;color:var(--link);font-size:14.5px;padding:3px 0;overflow-wrap:anywhere}
details>:last-child{margin-top:8px}
.words-list dt{font-weight:600}.words-list dd{margin:0 0 10px;max-width:80ch}
pre{background:var(--page);border:1px solid var(--line);border-radius:6px;padding:12px;overflow:auto;max-height:420px;margin:0;font-size:12.5px}
svg{display:block;width:100%;height:auto}
svg text{font-size:12px;fill:var(--soft)}
svg .note{font-size:11.5px}
.grid{stroke:var(--grid)}
.axis{stroke:var(--soft);stroke-width:1;vector-effect:non-scaling-stroke}
.ind{color:var(--ind)}.ood{color:var(--ood)}
span.ind,span.ood{font-weight:600}
.area{fill:currentColor;fill-opacity:.22;stroke:currentColor;stroke-width:1.6;stroke-linejoin:round}
svg .cut{fill:currentColor;font-weight:600}
.limit{stroke:var(--ink);stroke-dasharray:4 3}
.panels{display:grid;grid-template-columns:minmax(470px,1.4fr) minmax(0,1fr) minmax(0,1fr);gap:20px 26px;align-items:start}
.panels table{font-size:13.5px}.methods th,.methods td{padding:7px 5px}.methods thead th{font-size:12.5px}
.methods th:first-child{padding-left:0}
.pick{display:flex;align-items:center;gap:6px;cursor:pointer;white-space:nowrap}
.pick input{margin:0;accent-color:var(--link)}
.swatch{width:16px;height:0;border-top:3px solid}
.h{display:none}
@supports not selector(:has(a)){.h0{display:block}.pick input{display:none}}
${picks}
.curve{fill:none;stroke:currentColor;stroke-width:1.6;stroke-linejoin:round}
.curve.m0{stroke-width:2.8}
.m0{color:var(--m0)}.m1{color:var(--m1)}.m2{color:var(--m2)}.m3{color:var(--m3)}.m4{color:var(--m4)}.m5{color:var(--m5)}.m6{color:var(--m6)}.m7{color:var(--m7)}
.curve.m1{stroke-dasharray:2 3}.curve.m3{stroke-dasharray:7 3}.curve.m4{stroke-dasharray:9 3 2 3}
.swatch.m1{border-top-style:dotted}.swatch.m3,.swatch.m4{border-top-style:dashed}
.chance{stroke:var(--soft);stroke-dasharray:3 4;fill:none}
.guide{stroke:var(--soft);stroke-width:.8;stroke-dasharray:2 3;fill:none}
.mark{fill:var(--card);stroke:var(--mark);stroke-width:2}
.plate{fill:var(--card);fill-opacity:.9}
.stretched{height:100%;min-height:0}
.heat{display:grid;grid-template-columns:minmax(90px,max-content) 1fr;gap:3px 12px;align-items:center}
.heat .stretched{height:24px;background:color-mix(in srgb,var(--soft) 9%,transparent);border-radius:2px}
.heat .label{font-size:14px;text-align:right;overflow-wrap:anywhere}
.heat svg{shape-rendering:crispEdges}.heat rect{fill:var(--heat-rgb)}.heat rect.below{fill:var(--below-rgb)}
.label.axis-label{color:var(--soft);font-size:13px;text-align:right}
.ticks{position:relative;height:20px;color:var(--soft);font-size:13px}
.ticks span{position:absolute;transform:translateX(-50%)}.ticks .first{left:0!important;transform:none}.ticks .last{left:auto!important;right:0;transform:none}
.scale{list-style:none;display:flex;flex-wrap:wrap;gap:4px 14px;padding:0;margin:10px 0 0;font-size:13px;color:var(--soft)}
.scale i{outline:1px solid var(--line);display:inline-block;width:18px;height:12px;background:var(--heat-rgb);margin-right:5px;vertical-align:-1px}
.scale i.below{background:var(--below-rgb)}
.fitting rect.chosen{stroke:var(--ink);stroke-width:2;vector-effect:non-scaling-stroke}
.fitting rect.bound{transform:scaleY(.3);transform-origin:0 .5px}
.layers{margin-top:20px}
.layers .rows{display:grid;grid-template-columns:minmax(90px,max-content) 1fr;gap:6px 12px;align-items:center}
.layers .label{font-size:13.5px;line-height:1.3;text-align:right;overflow-wrap:anywhere;max-width:180px}
.layers .rows>.stretched{height:60px}.layers .rows>.stretched:nth-of-type(2){height:110px}
.bar{fill:currentColor}.bar.auroc{color:var(--heat-rgb)}
.hover{fill:transparent}.hover:hover{fill:color-mix(in srgb,var(--ink) 14%,transparent)}
.defs{position:absolute;width:0;height:0}
.gallery{list-style:none;margin:0;padding:0;display:grid;grid-template-columns:repeat(8,minmax(0,1fr));gap:14px}
.gallery li{display:grid;grid-template-columns:64px minmax(0,1fr);gap:6px 7px;align-items:start}
.gallery img,.no-picture{width:64px;height:64px;border-radius:4px;image-rendering:pixelated;background:var(--grid)}
.no-picture{display:grid;place-items:center;font-size:11px;color:var(--soft);text-align:center;border:1px dashed var(--line)}
.gallery .words{font-size:12px;line-height:1.3;color:var(--soft);overflow-wrap:anywhere}
.gallery .words b{white-space:nowrap;color:var(--ink);font-size:14px}.gallery .called{grid-column:1/-1;min-height:1.3em}
.gallery .stretched{grid-column:1/-1;height:44px;overflow:visible}
.usual{fill:var(--ind);fill-opacity:.16}
.profile{fill:none;stroke:var(--ink);stroke-width:1.2;vector-effect:non-scaling-stroke;stroke-linejoin:round}
.dot{stroke:var(--ood);stroke-width:7;stroke-linecap:round;vector-effect:non-scaling-stroke}
.missing{background:var(--g2);color:var(--g2-ink);border-radius:6px;padding:8px 12px;font-size:14.5px;margin:18px 0 0;overflow-wrap:anywhere}
@media (max-width:1100px){.panels{grid-template-columns:minmax(0,1fr) minmax(0,1fr)}.panels .numbers{grid-column:1/-1}.gallery{grid-template-columns:repeat(4,minmax(0,1fr))}}
@media (max-width:640px){header,main,footer{padding-left:12px;padding-right:12px}header{padding-top:24px}section{padding:16px 14px;margin:14px 0;border-radius:8px}h1{font-size:27px}h2{font-size:20px}
.panels{grid-template-columns:minmax(0,1fr)}.verdicts li{grid-template-columns:1fr}.gallery{grid-template-columns:repeat(2,minmax(0,1fr))}
.heat,.layers .rows{grid-template-columns:minmax(0,1fr);gap:2px}.heat .label,.layers .label{text-align:left;max-width:none;margin-top:4px}.layers .label br{display:none}.label.axis-label{order:1;margin-top:0}
th,td{padding:6px 7px}.facts{grid-template-columns:repeat(2,minmax(0,1fr))}}
@media print{@page{size:A4;margin:13mm 12mm}
:root{--page:#fff}body{font-size:11.5px;line-height:1.4;print-color-adjust:exact;-webkit-print-color-adjust:exact}header,main,footer{padding:0 6px 0 0;max-width:none}header{padding-top:0}nav{display:none}
section{border:0;padding:0;margin:16px 0;break-before:page}#verdicts,#ind,#timings,#manifest{break-before:auto}.lead{max-width:none;margin-bottom:10px}
h1{font-size:26px;margin-bottom:10px}h2{font-size:19px}h2,h4{break-after:avoid}h4{font-size:12.5px;margin:12px 0 6px}figure,.numbers,tr,.gallery li,.verdicts li,.caption{break-inside:avoid}
a{color:inherit;text-decoration:none}.scroll{overflow:visible}.caption,figcaption,.facts span,.facts dt{font-size:10px}.facts{grid-template-columns:repeat(5,minmax(0,1fr));gap:8px 16px}.facts b{font-size:17px}
.verdicts{margin:6px 0 14px}.verdicts li{padding:3px 0;grid-template-columns:104px 1fr}.badge{font-size:10px;padding:2px 7px}
table,.panels table{font-size:10px}th,td,.methods th,.methods td{padding:2px 5px}.small,.small th,.small td{font-size:8.5px;padding:2px 5px}thead th,.methods thead th{font-size:9.5px}tbody th{position:static}.overview,.overview thead th{font-size:8.5px}.overview th,.overview td,.overview thead th{white-space:normal;padding:2px 3px}
.panels{grid-template-columns:minmax(0,1fr) minmax(0,1fr);gap:10px 26px}.panels .numbers{grid-column:1/-1}.pick input{display:none}
.layers{margin-top:10px}.layers .rows>.stretched{height:36px}.layers .rows>.stretched:nth-of-type(2){height:62px}.layers .rows,.heat{row-gap:2px}.ticks{height:14px}.layers .label,.heat .label,.ticks,.scale,.label.axis-label{font-size:10px}.heat .stretched{height:18px}
.gallery{grid-template-columns:repeat(8,minmax(0,1fr));gap:8px}.gallery li{grid-template-columns:38px minmax(0,1fr);gap:2px 4px}.gallery img,.no-picture{width:38px;height:38px}.gallery .words,.gallery .words b{font-size:8.5px}.gallery .stretched{height:26px}.dot{stroke-width:5}
.set .panels svg{max-width:240px;margin:0 auto}.set .panels text{font-size:13.5px}pre{max-height:none;white-space:pre-wrap;overflow-wrap:anywhere}details:not([open]),.screen{display:none}}
`;
}
