"""The Wikipedia languages: the one table of codes, names, scripts, merges and detector labels.

A language is called by its Wikipedia code with underscores (`zh_yue`, `be_tarask`), as the database dumps are.
"""

from dataclasses import dataclass
from functools import cache

OTHER = "other"
"""The list that holds the entries of every language that no detector label leads to."""

# blanks: whether blanks separate words. label: the label of lid.176 that leads here. wordnet: the code of Open
# Multilingual Wordnet, whose `als` is Albanian, not Alemannic. merges: the language in whose list the entries go:
# the same written language under another norm (be_tarask, simple, nds_nl) or one that the detector cannot tell from
# it (zh_classical, zh_yue: the papers' choice). zh_min_nan does not merge, its Wikipedia is in Latin letters.
# Beside the papers' 330 codes: aa, a closed wiki whose dumps remain, and ryu, which is still an incubator and which
# the second paper segments.
_TABLE = """
code          script blanks label wordnet merges name
aa            Latn   yes    -     -       -      Afar
ab            Cyrl   yes    -     -       -      Abkhaz
ace           Latn   yes    -     -       -      Acehnese
ady           Cyrl   yes    -     -       -      Adyghe
af            Latn   yes    af    -       -      Afrikaans
als           Latn   yes    als   -       -      Alemannic
alt           Cyrl   yes    -     -       -      Southern Altai
am            Ethi   yes    am    -       -      Amharic
ami           Latn   yes    -     -       -      Amis
an            Latn   yes    an    -       -      Aragonese
ang           Latn   yes    -     -       -      Old English
anp           Deva   yes    -     -       -      Angika
ar            Arab   yes    ar    arb     -      Arabic
arc           Syrc   yes    -     -       -      Aramaic
ary           Arab   yes    -     -       -      Moroccan Arabic
arz           Arab   yes    arz   -       -      Egyptian Arabic
as            Beng   yes    as    -       -      Assamese
ast           Latn   yes    ast   -       -      Asturian
atj           Latn   yes    -     -       -      Atikamekw
av            Cyrl   yes    av    -       -      Avar
avk           Latn   yes    -     -       -      Kotava
awa           Deva   yes    -     -       -      Awadhi
ay            Latn   yes    -     -       -      Aymara
az            Latn   yes    az    -       -      Azerbaijani
azb           Arab   yes    azb   -       -      South Azerbaijani
ba            Cyrl   yes    ba    -       -      Bashkir
ban           Latn   yes    -     -       -      Balinese
bar           Latn   yes    bar   -       -      Bavarian
bat_smg       Latn   yes    -     -       -      Samogitian
bbc           Latn   yes    -     -       -      Toba Batak
bcl           Latn   yes    bcl   -       -      Central Bikol
be            Cyrl   yes    be    -       -      Belarusian
be_tarask     Cyrl   yes    -     -       be     Belarusian (Taraškievica)
bew           Latn   yes    -     -       -      Betawi
bg            Cyrl   yes    bg    bul     -      Bulgarian
bh            Deva   yes    bh    -       -      Bhojpuri
bi            Latn   yes    -     -       -      Bislama
bjn           Latn   yes    -     -       -      Banjarese
blk           Mymr   no     -     -       -      Pa'O
bm            Latn   yes    -     -       -      Bambara
bn            Beng   yes    bn    -       -      Bangla
bo            Tibt   no     bo    -       -      Tibetan
bpy           Beng   yes    bpy   -       -      Bishnupriya Manipuri
br            Latn   yes    br    -       -      Breton
bs            Latn   yes    bs    -       -      Bosnian
bug           Latn   yes    -     -       -      Buginese
bxr           Cyrl   yes    bxr   -       -      Buryat
ca            Latn   yes    ca    cat     -      Catalan
cbk_zam       Latn   yes    cbk   -       -      Chavacano
cdo           Latn   yes    -     -       -      Eastern Min
ce            Cyrl   yes    ce    -       -      Chechen
ceb           Latn   yes    ceb   -       -      Cebuano
ch            Latn   yes    -     -       -      Chamorro
chr           Cher   yes    -     -       -      Cherokee
chy           Latn   yes    -     -       -      Cheyenne
ckb           Arab   yes    ckb   -       -      Central Kurdish
co            Latn   yes    co    -       -      Corsican
cr            Cans   yes    -     -       -      Cree
crh           Latn   yes    -     -       -      Crimean Tatar
cs            Latn   yes    cs    -       -      Czech
csb           Latn   yes    -     -       -      Kashubian
cu            Cyrs   yes    -     -       -      Church Slavonic
cv            Cyrl   yes    cv    -       -      Chuvash
cy            Latn   yes    cy    -       -      Welsh
da            Latn   yes    da    dan     -      Danish
dag           Latn   yes    -     -       -      Dagbani
de            Latn   yes    de    -       -      German
dga           Latn   yes    -     -       -      Dagaare
din           Latn   yes    -     -       -      Dinka
diq           Latn   yes    diq   -       -      Zazaki
dsb           Latn   yes    dsb   -       -      Lower Sorbian
dtp           Latn   yes    -     -       -      Central Dusun
dty           Deva   yes    dty   -       -      Doteli
dv            Thaa   yes    dv    -       -      Divehi
dz            Tibt   no     -     -       -      Dzongkha
ee            Latn   yes    -     -       -      Ewe
el            Grek   yes    el    ell     -      Greek
eml           Latn   yes    eml   -       -      Emilian-Romagnol
en            Latn   yes    en    eng     -      English
eo            Latn   yes    eo    -       -      Esperanto
es            Latn   yes    es    spa     -      Spanish
et            Latn   yes    et    -       -      Estonian
eu            Latn   yes    eu    eus     -      Basque
ext           Latn   yes    -     -       -      Extremaduran
fa            Arab   yes    fa    fas     -      Persian
fat           Latn   yes    -     -       -      Fante
ff            Latn   yes    -     -       -      Fula
fi            Latn   yes    fi    fin     -      Finnish
fiu_vro       Latn   yes    -     -       -      Võro
fj            Latn   yes    -     -       -      Fijian
fo            Latn   yes    -     -       -      Faroese
fon           Latn   yes    -     -       -      Fon
fr            Latn   yes    fr    fra     -      French
frp           Latn   yes    -     -       -      Arpitan
frr           Latn   yes    frr   -       -      Northern Frisian
fur           Latn   yes    -     -       -      Friulian
fy            Latn   yes    fy    -       -      Western Frisian
ga            Latn   yes    ga    -       -      Irish
gag           Latn   yes    -     -       -      Gagauz
gan           Hant   no     -     -       -      Gan Chinese
gcr           Latn   yes    -     -       -      Guianan Creole
gd            Latn   yes    gd    -       -      Scottish Gaelic
gl            Latn   yes    gl    glg     -      Galician
glk           Arab   yes    -     -       -      Gilaki
gn            Latn   yes    gn    -       -      Guarani
gom           Deva   yes    gom   -       -      Goan Konkani
gor           Latn   yes    -     -       -      Gorontalo
got           Goth   yes    -     -       -      Gothic
gpe           Latn   yes    -     -       -      Ghanaian Pidgin
gu            Gujr   yes    gu    -       -      Gujarati
guc           Latn   yes    -     -       -      Wayuu
gur           Latn   yes    -     -       -      Frafra
guw           Latn   yes    -     -       -      Gun
gv            Latn   yes    gv    -       -      Manx
ha            Latn   yes    -     -       -      Hausa
hak           Latn   yes    -     -       -      Hakka Chinese
haw           Latn   yes    -     -       -      Hawaiian
he            Hebr   yes    he    heb     -      Hebrew
hi            Deva   yes    hi    -       -      Hindi
hif           Latn   yes    hif   -       -      Fiji Hindi
hr            Latn   yes    hr    hrv     -      Croatian
hsb           Latn   yes    hsb   -       -      Upper Sorbian
ht            Latn   yes    ht    -       -      Haitian Creole
hu            Latn   yes    hu    -       -      Hungarian
hy            Armn   yes    hy    -       -      Armenian
hyw           Armn   yes    -     -       -      Western Armenian
ia            Latn   yes    ia    -       -      Interlingua
id            Latn   yes    id    ind     -      Indonesian
ie            Latn   yes    ie    -       -      Interlingue
ig            Latn   yes    -     -       -      Igbo
igl           Latn   yes    -     -       -      Igala
ik            Latn   yes    -     -       -      Inupiaq
ilo           Latn   yes    ilo   -       -      Iloko
inh           Cyrl   yes    -     -       -      Ingush
io            Latn   yes    io    -       -      Ido
is            Latn   yes    is    isl     -      Icelandic
it            Latn   yes    it    ita     -      Italian
iu            Cans   yes    -     -       -      Inuktitut
ja            Jpan   no     ja    jpn     -      Japanese
jam           Latn   yes    -     -       -      Jamaican Creole
jbo           Latn   yes    jbo   -       -      Lojban
jv            Latn   yes    jv    -       -      Javanese
ka            Geor   yes    ka    -       -      Georgian
kaa           Latn   yes    -     -       -      Karakalpak
kab           Latn   yes    -     -       -      Kabyle
kbd           Cyrl   yes    -     -       -      Kabardian
kbp           Latn   yes    -     -       -      Kabiye
kcg           Latn   yes    -     -       -      Tyap
kg            Latn   yes    -     -       -      Kongo
ki            Latn   yes    -     -       -      Kikuyu
kk            Cyrl   yes    kk    -       -      Kazakh
kl            Latn   yes    -     -       -      Kalaallisut
km            Khmr   no     km    -       -      Khmer
kn            Knda   yes    kn    -       -      Kannada
ko            Kore   yes    ko    -       -      Korean
koi           Cyrl   yes    -     -       -      Komi-Permyak
krc           Cyrl   yes    krc   -       -      Karachay-Balkar
ks            Arab   yes    -     -       -      Kashmiri
ksh           Latn   yes    -     -       -      Ripuarian
ku            Latn   yes    ku    -       -      Kurdish
kus           Latn   yes    -     -       -      Kusaal
kv            Cyrl   yes    kv    -       -      Komi
kw            Latn   yes    kw    -       -      Cornish
ky            Cyrl   yes    ky    -       -      Kyrgyz
la            Latn   yes    la    -       -      Latin
lad           Latn   yes    -     -       -      Ladino
lb            Latn   yes    lb    -       -      Luxembourgish
lbe           Cyrl   yes    -     -       -      Lak
lez           Cyrl   yes    lez   -       -      Lezghian
lfn           Latn   yes    -     -       -      Lingua Franca Nova
lg            Latn   yes    -     -       -      Ganda
li            Latn   yes    li    -       -      Limburgish
lij           Latn   yes    -     -       -      Ligurian
lld           Latn   yes    -     -       -      Ladin
lmo           Latn   yes    lmo   -       -      Lombard
ln            Latn   yes    -     -       -      Lingala
lo            Laoo   no     lo    -       -      Lao
lt            Latn   yes    lt    lit     -      Lithuanian
ltg           Latn   yes    -     -       -      Latgalian
lv            Latn   yes    lv    -       -      Latvian
mad           Latn   yes    -     -       -      Madurese
mai           Deva   yes    mai   -       -      Maithili
map_bms       Latn   yes    -     -       -      Banyumasan
mdf           Cyrl   yes    -     -       -      Moksha
mg            Latn   yes    mg    -       -      Malagasy
mhr           Cyrl   yes    mhr   -       -      Eastern Mari
mi            Latn   yes    -     -       -      Māori
min           Latn   yes    min   -       -      Minangkabau
mk            Cyrl   yes    mk    -       -      Macedonian
ml            Mlym   yes    ml    -       -      Malayalam
mn            Cyrl   yes    mn    -       -      Mongolian
mni           Mtei   yes    -     -       -      Manipuri
mnw           Mymr   no     -     -       -      Mon
mr            Deva   yes    mr    -       -      Marathi
mrj           Cyrl   yes    mrj   -       -      Western Mari
ms            Latn   yes    ms    zsm     -      Malay
mt            Latn   yes    mt    -       -      Maltese
mwl           Latn   yes    mwl   -       -      Mirandese
my            Mymr   no     my    -       -      Burmese
myv           Cyrl   yes    myv   -       -      Erzya
mzn           Arab   yes    mzn   -       -      Mazanderani
nah           Latn   yes    nah   -       -      Nahuatl
nap           Latn   yes    nap   -       -      Neapolitan
nds           Latn   yes    nds   -       -      Low German
nds_nl        Latn   yes    -     -       nds    Dutch Low Saxon
ne            Deva   yes    ne    -       -      Nepali
new           Deva   yes    new   -       -      Newari
nia           Latn   yes    -     -       -      Nias
nl            Latn   yes    nl    nld     -      Dutch
nn            Latn   yes    nn    nno     -      Norwegian Nynorsk
no            Latn   yes    no    nob     -      Norwegian Bokmål
nov           Latn   yes    -     -       -      Novial
nqo           Nkoo   yes    -     -       -      N'Ko
nrm           Latn   yes    -     -       -      Norman
nso           Latn   yes    -     -       -      Northern Sotho
nv            Latn   yes    -     -       -      Navajo
ny            Latn   yes    -     -       -      Nyanja
oc            Latn   yes    oc    -       -      Occitan
olo           Latn   yes    -     -       -      Livvi-Karelian
om            Latn   yes    -     -       -      Oromo
or            Orya   yes    or    -       -      Odia
os            Cyrl   yes    os    -       -      Ossetic
pa            Guru   yes    pa    -       -      Punjabi
pag           Latn   yes    -     -       -      Pangasinan
pam           Latn   yes    pam   -       -      Pampanga
pap           Latn   yes    -     -       -      Papiamento
pcd           Latn   yes    -     -       -      Picard
pcm           Latn   yes    -     -       -      Nigerian Pidgin
pdc           Latn   yes    -     -       -      Pennsylvania German
pfl           Latn   yes    pfl   -       -      Palatine German
pi            Deva   yes    -     -       -      Pali
pih           Latn   yes    -     -       -      Norfuk-Pitkern
pl            Latn   yes    pl    pol     -      Polish
pms           Latn   yes    pms   -       -      Piedmontese
pnb           Arab   yes    pnb   -       -      Western Punjabi
pnt           Grek   yes    -     -       -      Pontic
ps            Arab   yes    ps    -       -      Pashto
pt            Latn   yes    pt    por     -      Portuguese
pwn           Latn   yes    -     -       -      Paiwan
qu            Latn   yes    qu    -       -      Quechua
rm            Latn   yes    rm    -       -      Romansh
rmy           Latn   yes    -     -       -      Vlax Romani
rn            Latn   yes    -     -       -      Rundi
ro            Latn   yes    ro    ron     -      Romanian
roa_rup       Latn   yes    -     -       -      Aromanian
roa_tara      Latn   yes    -     -       -      Tarantino
ru            Cyrl   yes    ru    -       -      Russian
rue           Cyrl   yes    rue   -       -      Rusyn
rw            Latn   yes    -     -       -      Kinyarwanda
ryu           Jpan   no     -     -       -      Okinawan
sa            Deva   yes    sa    -       -      Sanskrit
sah           Cyrl   yes    sah   -       -      Yakut
sat           Olck   yes    -     -       -      Santali
sc            Latn   yes    sc    -       -      Sardinian
scn           Latn   yes    scn   -       -      Sicilian
sco           Latn   yes    sco   -       -      Scots
sd            Arab   yes    sd    -       -      Sindhi
se            Latn   yes    -     -       -      Northern Sami
sg            Latn   yes    -     -       -      Sango
sh            Latn   yes    sh    -       -      Serbo-Croatian
shi           Latn   yes    -     -       -      Tachelhit
shn           Mymr   no     -     -       -      Shan
si            Sinh   yes    si    -       -      Sinhala
simple        Latn   yes    -     -       en     Simple English
sk            Latn   yes    sk    slk     -      Slovak
skr           Arab   yes    -     -       -      Saraiki
sl            Latn   yes    sl    slv     -      Slovenian
sm            Latn   yes    -     -       -      Samoan
smn           Latn   yes    -     -       -      Inari Sami
sn            Latn   yes    -     -       -      Shona
so            Latn   yes    so    -       -      Somali
sq            Latn   yes    sq    als     -      Albanian
sr            Cyrl   yes    sr    -       -      Serbian
srn           Latn   yes    -     -       -      Sranan Tongo
ss            Latn   yes    -     -       -      Swati
st            Latn   yes    -     -       -      Southern Sotho
stq           Latn   yes    -     -       -      Saterland Frisian
su            Latn   yes    su    -       -      Sundanese
sv            Latn   yes    sv    swe     -      Swedish
sw            Latn   yes    sw    -       -      Swahili
szl           Latn   yes    -     -       -      Silesian
szy           Latn   yes    -     -       -      Sakizaya
ta            Taml   yes    ta    -       -      Tamil
tay           Latn   yes    -     -       -      Atayal
tcy           Knda   yes    -     -       -      Tulu
te            Telu   yes    te    -       -      Telugu
tet           Latn   yes    -     -       -      Tetum
tg            Cyrl   yes    tg    -       -      Tajik
th            Thai   no     th    tha     -      Thai
ti            Ethi   yes    -     -       -      Tigrinya
tk            Latn   yes    tk    -       -      Turkmen
tl            Latn   yes    tl    -       -      Tagalog
tly           Latn   yes    -     -       -      Talysh
tn            Latn   yes    -     -       -      Tswana
to            Latn   yes    -     -       -      Tongan
tpi           Latn   yes    -     -       -      Tok Pisin
tr            Latn   yes    tr    -       -      Turkish
trv           Latn   yes    -     -       -      Taroko
ts            Latn   yes    -     -       -      Tsonga
tt            Cyrl   yes    tt    -       -      Tatar
tum           Latn   yes    -     -       -      Tumbuka
tw            Latn   yes    -     -       -      Twi
ty            Latn   yes    -     -       -      Tahitian
tyv           Cyrl   yes    tyv   -       -      Tuvinian
udm           Cyrl   yes    -     -       -      Udmurt
ug            Arab   yes    ug    -       -      Uyghur
uk            Cyrl   yes    uk    -       -      Ukrainian
ur            Arab   yes    ur    -       -      Urdu
uz            Latn   yes    uz    -       -      Uzbek
ve            Latn   yes    -     -       -      Venda
vec           Latn   yes    vec   -       -      Venetian
vep           Latn   yes    vep   -       -      Veps
vi            Latn   yes    vi    -       -      Vietnamese
vls           Latn   yes    vls   -       -      West Flemish
vo            Latn   yes    vo    -       -      Volapük
wa            Latn   yes    wa    -       -      Walloon
war           Latn   yes    war   -       -      Waray
wo            Latn   yes    -     -       -      Wolof
wuu           Hans   no     wuu   -       -      Wu Chinese
xal           Cyrl   yes    xal   -       -      Kalmyk
xh            Latn   yes    -     -       -      Xhosa
xmf           Geor   yes    xmf   -       -      Mingrelian
yi            Hebr   yes    yi    -       -      Yiddish
yo            Latn   yes    yo    -       -      Yoruba
za            Latn   yes    -     -       -      Zhuang
zea           Latn   yes    -     -       -      Zeelandic
zgh           Tfng   yes    -     -       -      Standard Moroccan Tamazight
zh            Hani   no     zh    cmn     -      Chinese
zh_classical  Hant   no     -     -       zh     Literary Chinese
zh_min_nan    Latn   yes    -     -       -      Min Nan Chinese
zh_yue        Hant   no     yue   -       zh     Cantonese
zu            Latn   yes    -     -       -      Zulu
"""

# Names of the same wiki in other places: domains, renamed codes, ISO 639. Dashes are read as underscores anyway.
_ALIASES = {
    "be_x_old": "be_tarask",
    "bho": "bh",
    "cmn": "zh",
    "egl": "eml",
    "gsw": "als",
    "lzh": "zh_classical",
    "nan": "zh_min_nan",
    "nb": "no",
    "rup": "roa_rup",
    "sgs": "bat_smg",
    "vro": "fiu_vro",
    "yue": "zh_yue",
}


@dataclass(frozen=True)
class Language:
    """One Wikipedia language.

    `script` is its ISO 15924 code. `label` is None where no detector label leads here; `wordnet` is None where Open
    Multilingual Wordnet has no list; `merges` is the code in whose list the entries go, or None.
    """

    code: str
    name: str
    script: str
    blanks: bool
    label: str | None
    wordnet: str | None
    merges: str | None

    @property
    def list_code(self) -> str:
        """The list that texts of this language are matched against: its own, its base's, or `other`."""
        if self.merges:
            return self.merges
        return self.code if self.label else OTHER


def _read_table() -> dict[str, Language]:
    found = {}
    for row in _TABLE.strip().splitlines()[1:]:
        code, script, blanks, label, wordnet, merges, name = row.split(maxsplit=6)
        label, wordnet, merges = (None if cell == "-" else cell for cell in (label, wordnet, merges))
        found[code] = Language(code, name, script, blanks == "yes", label, wordnet, merges)
    return found


LANGUAGES: dict[str, Language] = _read_table()
"""All languages by code, in the order of codes."""

_BY_LABEL = {language.label: language.list_code for language in LANGUAGES.values() if language.label}


def language_of(name: str) -> Language | None:
    """The language that a wiki's name means, None where it is none: a code, a domain's first part, an old code.

    >>> language_of("be-x-old").code
    'be_tarask'
    """
    code = name.strip().lower().replace("-", "_")
    return LANGUAGES.get(_ALIASES.get(code, code))


@cache
def code_of_label(label: str) -> str:
    """The list that texts with this detector label are matched against; `other` for a label without one.

    >>> [code_of_label(label) for label in ("de", "__label__yue", "lrc")]
    ['de', 'zh', 'other']
    """
    return _BY_LABEL.get(label.removeprefix("__label__"), OTHER)


def label_of_code(code: str) -> str | None:
    """The lid.176 label whose texts a language's own list gets, None where the detector does not know it.

    >>> label_of_code("cbk_zam"), label_of_code("ltg")
    ('cbk', None)
    """
    language = LANGUAGES.get(code)
    return language.label if language else None
