# orc.h → generated/binding.ts: the names and numbers of its enums, and the sizes of its structures in bytes.

BEGIN {
    print "// Code generated from orc.h by `make generate`. DO NOT EDIT."
    called["frame_type"] = "frameType"
    called["op"] = "opKind"
    called["flag"] = "recordFlag"
    bytes["char"] = 1
    bytes["uint16_t"] = 2
    bytes["uint32_t"] = bytes["int32_t"] = 4
    bytes["uint64_t"] = 8
}

/^(enum|struct) orc_/ {
    kind = $1
    name = substr($2, 5)
    size = widest = 0
    if (kind == "enum") print "\nexport const " (name in called ? called[name] : name) " = {"
}

/^};/ {
    if (kind == "enum") print "} as const;"
    else close_struct()
    kind = ""
}

kind == "enum" && /^ +[A-Z]+_[A-Z_]+ = [0-9]+,/ {
    number[$1] = $3 + 0
    sub(/^[A-Z]+_/, "", $1)
    printf "  %s: %d,\n", $1, $3
}

kind == "struct" && /^ +(struct )?[a-z0-9_]+ [a-z0-9_]+(\[.*\])?;/ {
    type = $1 == "struct" ? substr($2, 5) : $1
    if (!(type in bytes)) {
        print "binding.awk: size of " type "?" > "/dev/stderr"
        exit failed = 1
    }
    align = type in alignment ? alignment[type] : bytes[type]
    if (align > widest) widest = align
    size = aligned(size, align) + bytes[type] * elements($0)
}

END {
    if (failed) exit 1
    printf "\n/** Bytes of the fixed structures: orc_frame and so on. */\nexport const sizeOf = {\n%s} as const;\n", sizes
}

function close_struct() {
    bytes[name] = aligned(size, widest)
    alignment[name] = widest
    sizes = sizes "  " name ": " bytes[name] ",\n"
}

function aligned(at, to) {
    return int((at + to - 1) / to) * to
}

# "text[4];", "stage[ORC_STAGE_SIZE];", "name[ORC_MAX_NAME + 1];"
function elements(line,    terms, count, sum, i) {
    if (!match(line, /\[[^]]*\]/)) return 1
    count = split(substr(line, RSTART + 1, RLENGTH - 2), terms, / \+ /)
    for (i = 1; i <= count; i++) sum += (terms[i] in number) ? number[terms[i]] : terms[i]
    return sum
}
