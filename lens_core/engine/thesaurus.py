"""Words that programmers write for the words that people say, used with little weight in questions.

People write "the directory of the configuration", code says ``conf_dir``. The table holds abbreviations
and near-synonyms of general programming only, nothing of any one project, and it widens questions only:
the index does not change with it.
"""

from typing import Final

from lens_core.engine.analyzer import stem

_SPOKEN_WRITTEN: Final = """
add: append insert push register
address: addr
allocate: alloc
append: add push
argument: arg args param
array: arr
assign: set
asynchronous: async await
attribute: attr prop
begin: start
boolean: bool
build: make create
button: btn
bytes: buffer buf
calculate: compute calc
call: invoke apply
callable: func callback fn
callback: cb handler
cancel: abort
change: update set
character: char chr
check: is has validate verify
class: cls type
clear: reset empty
close: shutdown stop
column: col
command: cmd
compare: eq equal cmp diff
compute: calculate calc
concatenate: concat join
configuration: config conf cfg settings
connection: conn connect
context: ctx
convert: to from cast parse
copy: clone
count: num len
create: new make build init
current: active now
database: db
decorator: wrapper wrap
default: fallback
delete: remove del drop destroy
destroy: dispose delete
determine: is get
dictionary: dict map
difference: diff delta
dimension: dim ndim
directory: dir path folder
disable: off
display: show render
document: doc
element: elem el item
emit: dispatch fire trigger
ensure: check assert
environment: env
equal: eq
error: err exc exception
evaluate: eval
event: evt
exception: exc error err
execute: exec run
expression: expr
extension: ext
fetch: get load
field: attr column
file: path open
filter: where
find: search lookup get
format: fmt
function: func fn callable
generate: make create build yield
handle: on
identifier: id
image: img
implementation: impl
increment: inc
index: idx
indicate: is
information: info
initialize: init setup
instance: obj
integer: int
iterate: iter yield each next
iterator: iter yield
length: len size
library: lib
list: items all
load: read
locate: find
locale: lang
location: loc pos
log: logger
longitude: lng lon
latitude: lat
lookup: get find
make: create build
matrix: mat
maximum: max
message: msg
method: func
minimum: min
multiply: mul
name: label key
notify: emit dispatch
number: num count int
object: obj instance
obtain: get
operation: op
operator: op
option: opt opts
order: sort
original: orig
output: out
package: pkg
parameter: param arg
parse: read
password: pwd passwd
pointer: ptr
position: pos offset
previous: prev last
print: write show
property: prop attr
provide: get
query: sql
quote: escape
raise: error throw
random: rand rng
receive: recv
recursive: walk
reference: ref
regex: re pattern
register: add
remove: del delete pop discard
render: draw
replace: sub
represent: repr str
representation: repr str
request: req
resolve: get find
response: resp
result: res ret
retrieve: get fetch load
save: write store
search: find
select: pick choose
send: write post
separator: sep
sequence: seq
serialize: dump dumps json
signature: sig
source: src
specification: spec
specify: set
statement: stmt
store: save set
string: str text
subtract: sub
temporary: tmp temp
text: str string
timezone: tz
token: tok
transaction: tx
transform: convert
update: set refresh
utility: util
validate: check valid clean
value: val
variable: var
vector: vec
verify: check validate
wait: await sleep
warning: warn
whether: is has can should
width: w
write: save dump
yield: iter
"""


def _table() -> dict[str, tuple[str, ...]]:
    table: dict[str, tuple[str, ...]] = {}
    for line in _SPOKEN_WRITTEN.strip().splitlines():
        spoken, written = line.split(":")
        key = stem(spoken.strip())
        related = [stem(word) for word in written.split()]
        known = [*table.get(key, ()), *related]
        table[key] = tuple(dict.fromkeys(word for word in known if word != key))
    return table


RELATED: Final = _table()
"""Stem of a spoken word → stems that code uses for it."""
