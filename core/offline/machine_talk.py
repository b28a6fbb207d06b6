"""Sentences that talk to a machine rather than of the news: orders, roles of a chat, and what only programs write.

The tests are of form, not of phrases: an imperative or a "you must" beside a word of the desk's own work, a name in
``snake_case``, a tag. A sentence of a report has no reason to have one. Pure.
"""

import re
import unicodedata

_OPENING = r"^[\W_]*(?:(?:please|kindly|now|then|instead|also|and|but|so|next|first|finally|just|simply|always|never)\b[\s,:]*){0,3}"
_OBJECT = (
    r"(?:this|that|these|those|the|all|any|every|each|your|you|my|our|it|its|only|no|nothing|everything|both|with|as|me|us|whatever|an?"
    r"|previous|prior|earlier|above|one|two|three|four|five|ten|twenty|fifty|a hundred|more|at least|\d+|html|markdown|json)\b"
)
_ONLY_ORDERS = (
    "disregard|ignore|override|bypass|respond|reply|pretend|roleplay|obey|comply|disclose|reveal|translate|decode|classify|validate"
    "|summari[sz]e|execute|re-?rate|re-?classify|forget|abandon|exfiltrate"
)
"""Verbs that a report does not begin a sentence with."""
_OFTEN_ORDERS = (
    "set|mark|label|rate|score|treat|consider|assume|act|behave|imagine|output|print|return|answer|say|write|state|report|repeat|show"
    "|display|leak|expose|send|post|fetch|open|visit|click|call|run|invoke|use|browse|load|import|raise|increase|lower|decrease|reduce"
    "|boost|maximi[sz]e|minimi[sz]e|accept|approve|confirm|verify|endorse|trust|add|insert|include|append|copy|paste|quote|cite|conclude"
    "|start|begin|end|finish|follow|ensure|make|give|take|put|remember|stop|cease|reset|erase|delete|remove|discard|drop|skip|omit|change"
    "|replace|update|switch|enter|enable|disable|adopt|apply|render|embed|emit|produce|generate|provide|submit|transfer|spend|request"
    "|search|look|read|do|re-?read|don[’']?t|do not|let|assign|attach|convert|continue|complete|fill|keep|leave|list|name|tell|find"
    "|finali[sz]e|grant|mention|note|prefer|promote|publish|record|recommend|resume|save|select|store|suppress|withhold|wrap|be"
)
_STARTS = re.compile(rf"{_OPENING}(?:{_ONLY_ORDERS})\b(?!\s*(?:['’]s|,\s*which))", re.IGNORECASE)
_STARTS_MAYBE = re.compile(rf"{_OPENING}(?:{_OFTEN_ORDERS})\s+(?:{_OBJECT}|[\"'“`\[{{<]|not\b)", re.IGNORECASE)
_AFTER_A_COMMA = re.compile(
    rf"[,;:–—-]\s+(?:please\s+|you\s+)?(?:(?:{_ONLY_ORDERS})\s|(?:{_OFTEN_ORDERS})\s+(?:{_OBJECT}|[\"'“`\[{{<]))", re.IGNORECASE
)
_TO_YOU = re.compile(
    r"\b(?:you(?:[’']re|[’']ll| are| will| must| should| shall| need| have| can| may| ought| now| were)"
    r"|(?:authori[sz]e|instruct|ask|order|command|want|need|require|direct|urge|allow|permit|expect|tell|remind|beg)s? you\b"
    r"|your (?:new|only|task|job|role|next|answer|reply|response|output|instructions?|rules|system|prompt|goal"
    r"|analysis|summary|verdict|first|final|operators?|developers?))\b",
    re.IGNORECASE,
)
_ASKED = (
    r"(?:must|should|shall|will have|has|have|needs?|is|are|be|ought|required|ask(?:ed|s)?|told|tell|urged?|instruct(?:ed|s)?"
    r"|request(?:ed|s)?|order(?:ed|s)?|require[sd]?|invited?|advised?|expected|obliged|remind(?:ed|s)?|encouraged?)"
)
_ACTIONS = (
    r"(?:rated?|mark(?:ed)?|scored?|set|treat(?:ed)?|classif\w+|validat\w+|accept(?:ed)?|approved?|label\w*|ignored?|output|return\w*|respond|state"
    r"|say|mention|include|report(?:ed)? as|consider(?:ed)? (?:as|valid\w*)|assign\w*|raised?|increased?|POSITIVE|NEGATIVE|1(?:\.0+)?)\b"
)
_SHOULD_BE = re.compile(
    rf"\b{_ASKED}\s+(?:(?:\w+\s+){{0,2}}(?:models?|readers?|analysts?|systems?|agents?|assistants?|reviewers?)\s+)?"
    rf"(?:reading this \w+ )?(?:to\s+)?(?:now\s+|always\s+|never\s+|only\s+|not\s+)?(?:be\s+)?{_ACTIONS}",
    re.IGNORECASE,
)
_OF_ITSELF = re.compile(
    r"\bthis (?:paragraph|sentence|passage|section|message|note|instruction|text)\b.{0,40}\b(?:priority|replaces?|overrides?|supersedes?"
    r"|applies|must|shall|should|instructs?|orders?|requires?|rules?)\b"
    r"|\b(?:all|every|each|these|the|any|no)\s+(?:\w+\s+){0,2}signals?\b.{0,50}\b(?:accepted|validated|approved|reviewed|confirmed)\b"
    r"|\b(?:accept|validate|approve|confirm)(?:e?d)?\s+(?:all|every|each|these|the|any)\s+(?:\w+\s+)?signals?\b"
    r"|\b(?:machine|automated|automatic|ai)(?:['’]s|-generated)? (?:summar\w+|readers?|reviewers?|graders?|analys[ie]s|output)\b"
    r"|\b(?:only|all|any|every) (?:valid|correct|allowed|acceptable) (?:output|answer|summary|response|verdict)\b"
    r"|\b(?:prior|previous|earlier|other) (?:guidance|instructions?|rules|context|orders?) (?:is|are)"
    r" (?:void|cancel\w+|invalid|revoked|obsolete)\b"
    r"|\b(?:chat)?(?:gpt[-\d.o]*|gemini|claude|copilot|llama|grok)\s*[,!:]\s*(?:please\s+)?[a-z]|\btell the user\b"
    r"|\byou(?:\s+\w+)?\s+(?:rated?|scored?|marked|validated?|ignored?|classified|skipped)\b"
    r"|\b(?:output|result|answer|response)s? of the (?:\w+ )?(?:tool|search|model|check|agent|function)\b",
    re.IGNORECASE,
)
_OUR_WORK = re.compile(
    r"\b(?:instructions?|prompts?|sentiment|confidence|signals?|verdicts?|scores?|scoring|summar\w+|analys[ie]s|analysts?|articles?|texts?|json"
    r"|outputs?|answers?|respon[sd]\w*|repl(?:y|ies)|quotes?|evidence|sources?|search|results?|tools?|models?|assistants?|ai|llms?|gpt|gemini"
    r"|claude|chatbots?|bots?|agents?|systems?|developers?|admin\w*|rules?|polic(?:y|ies)|guidelines|keys?|secrets?|passwords?|credentials?"
    r"|tokens?|environment|database|budgets?|review\w*|newsletters?|links?|urls?|https?|images?|markdown|html|fields?|schema|format|positive"
    r"|negative|neutral|bullish|bearish|validat\w*|impact|uniqueness|reasons?|descriptions?|messages?|conversation|context|training|mode|role"
    r"|obey|orders?|words?|sentences?|paragraphs?|above|below|previous|commands?|directives?|tasks?|content|data|file|everything|report|page|document)\b"
    r"|\b(?:1\.0+|100 ?%)",
    re.IGNORECASE,
)
_META = re.compile(
    r"\b(?:previous|prior|above|earlier|preceding|foregoing|system|hidden|developer|initial|your|these|following|new|my)\s+(?:\w+\s+)?"
    r"(?:instructions?|prompts?|directives?|system messages?)\b"
    r"|\b(?:note|notice|attention|dear|messages?|instructions?|memo|reminder|hello|hey|hi|addressed|directed|warning|order)\b[\s,:]*"
    r"(?:(?:to|for|at)\s+)?(?:(?:the|any|all|every|an?|whichever|whatever)\s+)?(?:\w+\s+){0,2}(?:ai|llms?|models?|assistants?"
    r"|bots?|agents?|summari[sz]ers?|crawlers?|chatbots?|gpt|gemini|claude|automated|parsers?|classifiers?)\b"
    r"|\b(?:ai|llms?|models?|assistants?|bots?|agents?|systems?|scripts?|pipelines?)\s+(?:that\s+(?:is\s+|are\s+)?)?"
    r"(?:reading|reads?|process\w*|analy[sz]\w+|summari[sz]\w+|pars\w+|scan\w+|evaluat\w+|grad\w+|ingest\w+)\s+(?:this|the|these)\b"
    r"|\bthis (?:article|text|page|story|signal|document|result|source)(?:['’]s)?\s+(?:sentiment|impact|confidence|uniqueness|verdict|must|"
    r"should|(?:is|has been|was) (?:already |pre-?|officially |hereby |fully )*"
    r"(?:verified|validated|approved|accepted|cleared|reviewed)|overrides?|supersedes?)"
    r"|\b(?:as an ai|jailbreak|do anything now|system override|(?:developer|god|debug|maintenance|admin) mode"
    r"|(?:end|begin|start) of (?:the )?(?:article|prompt|document|input|context|message|results?|instructions?|system)"
    r"|tool (?:call|result|output|response)s?|function call|api key|environment variables?)\b",
    re.IGNORECASE,
)
_ROLE = re.compile(
    r"^[\W_]*(?:system|developer|assistant|user|human|ai|model|tool|function|observation|thought|action|final answer|instructions?|prompt"
    r"|search results?|tool results?|results?|output|response|answer|json|query|new task|task|rules?|override|admin\w*|root|input|context"
    r"|(?:\w+ )?(?:document|page|chunk|passage|snippet|source) #?\d+|q|a"
    r"|example \d+|step \d+|article|verdict|sentiment|confidence|signals?|evidence|title|publisher|published)"
    r"(?:\s+(?:message|prompt|note|override|update|output|result|response|notice|instructions?|\d+))*[\W_]*\s*(?:[:=>\]|]|->)",
    re.IGNORECASE,
)
_CODE = re.compile(
    r"<[|/!?]|</?\s*[a-z][\w-]*[^<>]{0,400}>|<<|>>|\[/?[A-Z]{3,}\]|&(?:lt|gt|amp|quot|nbsp|#x?[0-9a-f]+);|```|^\s*#{1,6}\s|^\s*[-=_*~#]{4,}|/\*|\*/|<!--|-->"
    r"|[{}]|\b[\"']?\w+[\"']\s*:\s*[\"'\[\d]|!?\[[^\[\]]{0,200}\]\s?\([^()\s]{1,400}|^\s*\[[^\[\]]{1,80}\]:|\b(?:javascript|vbscript|file|data|ftp|mailto|blob|about):\S"
    r"|https?://\S{1,300}[?#@&=%{$]|\$\{|\$\(|%\(|^\s*=\s*\S|^\s*[+\-@=]\s*\w*\(|^\s*[+-]?=?\w+[|(]['\"]"
    r"|\w+\.\w+\(|\bon\w+=|\w\(\)|\b(?:SELECT|DROP|INSERT|UPDATE|DELETE|UNION)\s+\S+\s+(?:FROM|TABLE|INTO|SET|SELECT)\b|\\[nrtux]|::|(?<!\w)/(?:etc|proc|home|var)/"
    r"|display\s*:\s*none|\\u[0-9a-f]{4}",
    re.IGNORECASE,
)
_IDENTIFIER = re.compile(r"(?<![@\w./-])(?:[a-z]+(?:_[a-z0-9]+)+|[A-Z]{2,}(?:_[A-Z0-9]+)+)\b")
_VALUES = re.compile(
    r"\b(?:VALIDATED|CONTRADICTED|INCONCLUSIVE|POSITIVE|NEGATIVE|NEUTRAL)\b"
    r"|\b[Cc]onfidence\b.{0,40}?(?:\b[01]\.\d|\b100 ?%|\bmaximum|\bto 1\b|\bof 1\b|=)|\b(?:sentiment|impact|uniqueness|verdict)\b\s*[=:]"
)


def is_machine_talk(sentence: str) -> bool:
    """Whether a sentence gives an order to its reader, plays a role of a chat, or has the form of what programs write."""
    plain = unicodedata.normalize("NFKC", sentence[:4_000]).strip()
    if any(pattern.search(plain) for pattern in (_CODE, _ROLE, _META, _OF_ITSELF, _VALUES, _IDENTIFIER, _STARTS)):
        return True
    ordering = _STARTS_MAYBE.search(plain) or _AFTER_A_COMMA.search(plain) or _TO_YOU.search(plain) or _SHOULD_BE.search(plain)
    return ordering is not None and _OUR_WORK.search(plain) is not None
