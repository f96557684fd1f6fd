#include "deepgen/core/report_parts.h"

namespace deepgen::report {

std::string style_sheet() {
  return R"css(
:root { --ink: #1c2126; --soft: #5d6873; --line: #dde2e7; --page: #ffffff; --panel: #f5f7f9;
  --blue: #1f6fb5; --orange: #c8561b; --green: #2c8a4b; --violet: #7a4fb5; --good: #2c7a45; --bad: #b3341f; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e8ec; --soft: #9aa5b0; --line: #343c45; --page: #14181c; --panel: #1d2329;
    --blue: #69b1ee; --orange: #f29a5f; --green: #70c98e; --violet: #b795ea; --good: #70c98e; --bad: #f28a76; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, "DejaVu Sans", sans-serif; }
main { max-width: 66rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 { margin: 0 0 .4rem; font-size: 1.7rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { margin: 2.2rem 0 .7rem; font-size: 1.15rem; }
.kicker, .quiet, footer { color: var(--soft); }
.kicker { margin: 0; font-size: .85rem; }
.status { display: inline-block; margin: 0 0 1rem; padding: .05rem .7rem; border: 1px solid; border-radius: 1rem; font-size: .85rem; }
.good { color: var(--good); }
.bad { color: var(--bad); }
dl, dd, ul { margin: 0; padding: 0; }
dt { color: var(--soft); font-size: .85rem; }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 9.5rem), 1fr)); gap: .6rem 1.2rem; }
.facts dd { overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
.warnings { margin-top: 1.5rem; padding: .8rem 1rem; border-left: 4px solid var(--bad); background: var(--panel); }
.warnings h2 { margin: 0 0 .3rem; color: var(--bad); font-size: 1rem; }
.warnings ul { padding-left: 1.1rem; overflow-wrap: anywhere; }
.findings { margin-top: 1.5rem; padding: .8rem 1rem; border-left: 4px solid var(--blue); background: var(--panel); }
.findings.calm { border-left-color: var(--good); }
.findings h2 { margin: 0 0 .3rem; font-size: 1rem; }
.findings p { margin: 0; }
.findings ul { padding-left: 1.1rem; overflow-wrap: anywhere; }
.findings .quiet { font-size: .88rem; }
.wide { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-size: .92rem; }
th, td { padding: .4rem .9rem .4rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
th { color: var(--soft); font-weight: 500; font-size: .85rem; white-space: nowrap; }
td { min-width: 3rem; }
td:last-child { min-width: 14rem; }
.name { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .88em; min-width: 7rem; overflow-wrap: anywhere; }
.number { font-variant-numeric: tabular-nums; white-space: nowrap; }
.bracket { color: var(--soft); font-size: .88em; }
.kind { padding: 0 .5rem; border: 1px solid var(--line); border-radius: .3rem; white-space: nowrap; }
.kind.proxy { border-style: dashed; color: var(--soft); }
.kinds { margin-top: .8rem; font-size: .88rem; color: var(--soft); }
.kinds div { display: flex; gap: .6rem; }
.kinds dt { flex: 0 0 6.5rem; color: var(--ink); }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 24rem), 1fr)); gap: 1rem; }
.pictures { display: flex; flex-wrap: wrap; gap: 1rem; }
figure { margin: 0; padding: .8rem; min-width: 0; max-width: 100%; background: var(--panel); border-radius: .4rem; }
figcaption { font-weight: 600; font-size: .95rem; overflow-wrap: anywhere; }
img { display: block; max-width: 100%; height: auto; margin-top: .5rem; image-rendering: pixelated; }
.legend { display: flex; flex-wrap: wrap; gap: 0 1rem; list-style: none; font-size: .85rem; color: var(--soft); }
.legend b { color: var(--ink); font-weight: 500; font-variant-numeric: tabular-nums; }
.key { display: inline-block; width: 1.2rem; margin-right: .4rem; vertical-align: middle; border-top: 3px solid; }
.chart { display: block; width: 100%; height: auto; margin-top: .3rem; }
.chart text { font-size: 12px; fill: var(--soft); font-variant-numeric: tabular-nums; }
.chart path { fill: none; }
.axis { stroke: var(--soft); }
.grid { stroke: var(--line); }
.line { stroke: currentColor; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
.mark { stroke: var(--bad); stroke-width: 1.5; stroke-dasharray: 2 3; }
.dot { fill: currentColor; }
.series-0 { color: var(--blue); }
.series-1 { color: var(--orange); }
.series-2 { color: var(--green); }
.series-3 { color: var(--violet); }
.line.series-1 { stroke-dasharray: 7 3; }
.key.series-1 { border-top-style: dashed; }
.line.series-2 { stroke-dasharray: 2 4; }
.key.series-2 { border-top-style: dotted; }
footer { margin-top: 2.5rem; font-size: .85rem; }
)css";
}

}  // namespace deepgen::report
