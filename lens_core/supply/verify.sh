#!/usr/bin/env bash
# Verifies a release candidate without Lens: bash, openssl, sha256sum, coreutils, findutils, grep, awk. No network.
#   verify.sh -k trusted-public-key.pem [-v VERSION] [DIR]
# The copy that lies in a cut is part of what is to be verified: run one that you have from elsewhere.
# Exit 0: every byte is as the key's owner signed it. 1: a file is at fault, and named. 2: asked wrongly.
set -euo pipefail
export LC_ALL=C
key='' wanted=''
usage() { echo 'usage: verify.sh -k trusted-public-key.pem [-v VERSION] [DIR]' >&2; exit 2; }
fault() { printf '✕ %s: %s\n' "$1" "$2" >&2; exit 1; }
while getopts k:v: option; do case $option in k) key=$OPTARG ;; v) wanted=$OPTARG ;; *) usage ;; esac; done
shift $((OPTIND - 1))
if [[ -z $key || $# -gt 1 || ! -d ${1:-.} ]]; then usage; fi
tmp=$(mktemp -d)
trap 'rm -rf -- "$tmp"' EXIT
openssl pkey -pubin -in "$key" -out "$tmp/key.pem" || usage
openssl pkey -pubin -in "$key" -outform DER -out "$tmp/key.der"
[[ $(od -An -v -tx1 "$tmp/key.der" | tr -d ' \n') =~ ^302a300506032b6570032100[0-9a-f]{64}$ ]] || usage # Ed25519 only
id=ed25519:$(tail -c 32 "$tmp/key.der" | sha256sum | cut -c 1-64)
cd -- "${1:-.}"
signed() { # signed SIGNATURE: whether the trusted key signed the bytes in $tmp/message
  [[ $(stat -c %s "$1") == 64 ]] &&
    openssl pkeyutl -verify -pubin -inkey "$tmp/key.pem" -rawin -in "$tmp/message" -sigfile "$1" >"$tmp/said" 2>&1
}
# 1. The signature over the manifest's bytes. Nothing is believed before.
for name in manifest.json manifest.sig; do [[ -f $name && ! -L $name ]] || fault "$name" 'is no regular file'; done
{ printf 'lens-candidate-manifest-v1\n'; cat manifest.json; } >"$tmp/message"
signed manifest.sig || fault 'manifest.json, manifest.sig' "the one is no signature of $id over the other"
# 2. What the manifest says. Written again from what was read in it, it has the same bytes: it says nothing else.
entry='\{"name":"([^"]*)","sha256":"([0-9a-f]{64})","size":(0|[1-9][0-9]*)\}'
segment='[A-Za-z0-9_][A-Za-z0-9._+~!@=-]*'
grep -aoE "$entry" manifest.json >"$tmp/entries" || fault manifest.json 'names no file'
sed -E "s/$entry/\\2  \\1/" "$tmp/entries" >"$tmp/sums"
sed -E "s/$entry/\\1\\tf\\3/" "$tmp/entries" >"$tmp/named"
cut -f 1 "$tmp/named" >"$tmp/names"
commit=$(grep -aoE '^\{"commit":"([0-9a-f]{40}|[0-9a-f]{64})"' manifest.json | cut -d '"' -f 4) || true
version=$(grep -aoE '"version":"[0-9][0-9A-Za-z.+-]*"\}$' manifest.json | cut -d '"' -f 4) || true
{
  printf '{"commit":"%s","files":[%s],"format":"lens-candidate-manifest-v1",' "$commit" "$(paste -sd , "$tmp/entries")"
  printf '"key":"%s","version":"%s"}' "$id" "$version"
} | cmp -s - manifest.json || fault manifest.json "is not the canonical manifest of a cut signed by $id"
[[ -z $wanted || $wanted == "$version" ]] || fault manifest.json "is of $version, not of $wanted"
if grep -qvxE "$segment(/$segment)*" "$tmp/names" || grep -qxE 'manifest\.(json|sig)' "$tmp/names" ||
  ! sort -cu "$tmp/names" 2>/dev/null; then fault manifest.json 'has names that no cut has, or in another order'; fi
# 3. Every file: there, regular, of its size, of its sha256; and no other.
{ cat "$tmp/named"; for name in manifest.json manifest.sig; do stat -c "%n	f%s" "$name"; done; } | sort >"$tmp/expected"
find . -mindepth 1 \( ! -type d -o -empty \) -printf '%P\t%y%s\0' | tr '\n\0' '?\n' | sort >"$tmp/seen"
odd=$(comm -3 "$tmp/expected" "$tmp/seen" | sed -E 's/^\t//' | cut -f 1 | sort -u | paste -sd ' ')
cmp -s "$tmp/expected" "$tmp/seen" || fault "$odd" 'is missing, extra, no regular file, or of another size'
sha256sum --check --strict --quiet "$tmp/sums" >&2 || fault 'the files that FAILED' 'have another sha256 than was signed'
grep -v '  SHA256SUMS$' "$tmp/sums" | cmp -s - SHA256SUMS || fault SHA256SUMS 'does not say what the manifest says'
# 4. The image layout: each blob under its own sha256, and exactly those that index and manifest refer to.
described() { # described FILE: the blobs that it refers to, as lines of $tmp/named
  grep -aoE '"digest":"sha256:[0-9a-f]{64}","mediaType":"[a-z0-9.+/-]+",("platform":\{[^{}]*\},)?"size":[0-9]+' "$1" |
    sed -E 's|.*"sha256:([0-9a-f]{64})".*:([0-9]+)$|image/blobs/sha256/\1\tf\2|'
}
image=''
if grep '^image/' "$tmp/named" >"$tmp/layout"; then
  odd=$(awk 'index($2, "image/blobs/sha256/") == 1 && $2 != "image/blobs/sha256/" $1 { print $2 }' "$tmp/sums")
  [[ -z $odd ]] || fault "$odd" 'is a blob under another sha256 than its own'
  printf '{"imageLayoutVersion":"1.0.0"}' | cmp -s - image/oci-layout || fault image/oci-layout 'is not of version 1.0.0'
  described image/index.json >"$tmp/top" || fault image/index.json 'refers to no manifest'
  top=$(cut -f 1 "$tmp/top")
  [[ -f $top && $(grep -ao '"digest":' image/index.json | wc -l) == 1 ]] || fault image/index.json 'expected one manifest'
  described "$top" >"$tmp/parts" || fault "$top" 'refers to no blob'
  for name in image/index.json "$top"; do [[ $(tail -c 18 "$name") == '"schemaVersion":2}' ]] || fault "$name" 'is odd'; done
  { grep -E '^image/(oci-layout|index\.json)	' "$tmp/named"; cat "$tmp/top" "$tmp/parts"; } | sort -u |
    cmp -s - "$tmp/layout" || fault "$top" 'and the blobs beside it do not agree'
  config=$(head -n 1 "$tmp/parts" | cut -f 1)
  layers=$(grep -aoE '"diff_ids":\[[^]]*\]' "$config" | grep -o 'sha256:' | wc -l) || true
  [[ $((layers + 1)) == "$(wc -l <"$tmp/parts")" ]] || fault "$config" 'has not the layers of its manifest'
  image=${top##*/}
fi
# 5. Provenance: the envelope as it is written, signed by the same key, about this cut's outputs and no others.
file=provenance.dsse.json type=application/vnd.in-toto+json
if grep -qx "$file" "$tmp/names"; then
  text=$(tr -d '\0' <"$file") payload=${text#'{"payload":"'} sig=${text##*'"sig":"'}
  payload=${payload%%\"*} sig=${sig%%\"*}
  printf '{"payload":"%s","payloadType":"%s","signatures":[{"keyid":"%s","sig":"%s"}]}' "$payload" "$type" "$id" "$sig" |
    cmp -s - "$file" || fault "$file" "is not the envelope of $id"
  for part in payload sig; do
    printf %s "${!part}" | base64 -d >"$tmp/$part" 2>/dev/null || fault "$file" "$part is no base64"
    [[ $(base64 -w 0 "$tmp/$part") == "${!part}" ]] || fault "$file" "$part is no canonical base64"
  done
  { printf 'DSSEv1 %d %s %d ' "${#type}" "$type" "$(stat -c %s "$tmp/payload")"; cat "$tmp/payload"; } >"$tmp/message"
  signed "$tmp/sig" || fault "$file" "is not signed by $id"
  subjects=$({ awk '$2 !~ "^image/" && $2 !~ "^(SHA256SUMS|provenance.dsse.json|gates.json)$" { print $2 "\t" $1 }' "$tmp/sums"
    if [[ $image ]]; then printf 'image\t%s\n' "$image"; fi; } | sort |
    awk -F '\t' '{ printf "%s{\"digest\":{\"sha256\":\"%s\"},\"name\":\"%s\"}", (NR > 1 ? "," : ""), $2, $1 }')
  said=$(tr -d '\0' <"$tmp/payload") given=${said#*'"externalParameters":{'}
  given=,${given%%\}*},
  if [[ $said != '{"_type":"https://in-toto.io/Statement/v1","predicate":{"buildDefinition":{'* ||
    $said != *',"predicateType":"https://slsa.dev/provenance/v1","subject":['"$subjects]}" ||
    $(grep -o '"subject":' "$tmp/payload" | wc -l) != 1 ]]; then fault "$file" "is not about exactly this cut's outputs"; fi
  [[ $given == *",\"version\":\"$version\","* && $given == *",\"commit\":\"$commit\","* &&
    $(grep -oE '"gitCommit":"[0-9a-f]*"' "$tmp/payload") == "\"gitCommit\":\"$commit\"" ]] ||
    fault "$file" "is not of version $version at commit $commit"
fi
printf 'every byte of %s (commit %s) is as %s signed it: %d files\n' "$version" "$commit" "$id" "$(wc -l <"$tmp/expected")"
