# fish completion for orc: asks orc itself, and takes file names where it knows nothing.
function __orc_complete
    set -l words (commandline -opc) (commandline -ct)
    $words[1] __complete -- $words[2..-1] 2> /dev/null
end
complete -c orc -k -a '(__orc_complete)'
