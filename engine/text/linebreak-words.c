/* Word lists of the line breaker: lower case, between spaces, so that " word " is found
 * by strstr. */
#include "text/linebreak-words.h"

#include <stdio.h>
#include <string.h>

typedef struct word_table {
    const char *language;
    const char *articles;
    const char *conjunctions;
    const char *prepositions;
    const char *leaning;
    const char *titles;
    const char *units;
    const char *abbreviations;
} word_table;

static const char common_units[] =
    " % ‰ ° °c °f $ € £ ¥ mm cm dm m km ft g mg kg t l ml cl dl hl s ms min h hz khz mhz "
    "ghz kb mb gb tb kbit mbit gbit w kw mw gw kwh mwh v kv mah kj cal kcal hpa bar db "
    "usd eur gbp km/h m/s mph rpm ";

static const word_table tables[] = {
    {
        .language = "en",
        .articles = " a an the ",
        .conjunctions =
            " and or but nor so yet for because that which who whom whose when "
            "where while if unless until although though since whether than "
            "whereas once however ",
        .prepositions =
            " of to in on at by with from about into onto over under through "
            "between among against during before after without within along "
            "across behind beyond near towards toward upon around above below "
            "beside besides despite except inside outside per via as like ",
        .leaning =
            " my your his her its our their this these those every each some any no "
            "i you he she it we they is are was were be been am has have had do does "
            "did will would can could shall should may might must not don't doesn't "
            "didn't won't can't couldn't wouldn't i'm you're we're they're it's i'll "
            "we'll i've we've being having very too ",
        .titles = " mr mrs ms miss dr prof sir lord lady president king queen prince "
                  "princess captain general saint st mount mt lake ",
        .units =
            " percent dollars dollar cents pounds euros euro hundred thousand million "
            "billion trillion degrees miles feet inches meters metres kilometers "
            "kilometres kilograms grams pounds liters litres hours minutes seconds days "
            "weeks months years o'clock am pm a.m p.m times ",
        .abbreviations =
            " mr mrs ms dr prof st mt vs etc e.g i.e no inc ltd jr sr co u.s "
            "a.m p.m jan feb mar apr aug sept oct nov dec ",
    },
    {
        .language = "de",
        .articles =
            " der die das den dem des ein eine einen einem einer eines im am zum zur "
            "vom beim ins ans kein keine keinen keinem keiner keines ",
        .conjunctions =
            " und oder aber denn sondern sowie dass daß weil wenn als ob obwohl "
            "während bevor nachdem damit indem sobald solange bis falls welche "
            "welcher welches doch ",
        .prepositions =
            " in im an am auf aus bei beim mit nach von vom zu zum zur für über "
            "unter vor hinter neben zwischen durch gegen ohne um seit bis wegen "
            "trotz ins ans ab gegenüber entlang laut ",
        .leaning =
            " mein meine meinen meinem meiner dein deine sein seine seinen seinem "
            "seiner ihr ihre ihren ihrem ihrer unser unsere unseren dieser diese dieses "
            "diesen diesem jeder jede jedes ich du er sie es wir man nicht sehr ganz zu ",
        .titles = " herr herrn frau dr prof präsident könig königin kaiser sankt st ",
        .units =
            " prozent euro cent dollar mark hundert tausend millionen million "
            "milliarden milliarde billionen grad meter kilometer zentimeter kilogramm "
            "gramm kilo tonnen liter uhr stunden minuten sekunden tage tagen wochen "
            "monate monaten jahre jahren mal ",
        .abbreviations =
            " z.b z b d.h d h u.a u a usw bzw ca dr prof st nr str vgl evtl ggf "
            "inkl mio mrd jh abs art ",
    },
    {
        .language = "fr",
        .articles = " le la les un une des du au aux ",
        .conjunctions =
            " et ou mais donc or ni car que qui quand si comme lorsque puisque "
            "parce dont où tandis afin quoique ",
        .prepositions =
            " à de du des au aux en dans sur sous par pour avec sans chez vers "
            "entre contre depuis pendant avant après devant derrière selon malgré "
            "parmi dès jusqu'à jusque hors ",
        .leaning =
            " mon ma mes ton ta tes son sa ses notre nos votre vos leur leurs ce cet "
            "cette ces chaque quelques je tu il elle on nous vous ils elles ne n'est "
            "c'est est sont a ont était très plus pas se me te ",
        .titles = " m mm mme mlle monsieur madame mademoiselle dr docteur professeur "
                  "président saint sainte ",
        .units = " pour cent euros euro dollars cents mille million millions milliard "
                 "milliards degrés mètres mètre kilomètres kilomètre kilos kilogrammes "
                 "grammes litres heures heure minutes secondes jours semaines mois ans "
                 "années fois ",
        .abbreviations = " m mm mme mlle dr etc p.ex env av apr st ste no ",
    },
    {
        .language = "es",
        .articles = " el la los las un una unos unas al del lo ",
        .conjunctions =
            " y e o u pero sino ni que porque cuando si como aunque mientras pues "
            "donde quien quienes cual ",
        .prepositions =
            " a al de del en con por para sin sobre entre hasta desde hacia contra "
            "según bajo ante tras durante mediante ",
        .leaning =
            " mi mis tu tus su sus nuestro nuestra nuestros nuestras este esta estos "
            "estas ese esa esos esas cada yo él ella nosotros ellos ellas no es son "
            "está están era fue ha han se me te le les nos muy más ",
        .titles = " sr sra srta señor señora don doña dr dra doctor doctora presidente "
                  "presidenta san santa santo rey reina ",
        .units =
            " por ciento euros euro dólares pesos centavos mil millón millones grados "
            "metros metro kilómetros kilómetro kilos kilogramos gramos litros horas hora "
            "minutos segundos días semanas meses años veces ",
        .abbreviations = " sr sra srta dr dra ud uds etc p.ej ee.uu núm av ",
    },
    {
        .language = "it",
        .articles =
            " il lo la i gli le un uno una del dello della dei degli delle al allo "
            "alla ai agli alle dal dallo dalla dai dagli dalle nel nello nella nei "
            "negli nelle sul sullo sulla sui sugli sulle ",
        .conjunctions =
            " e ed o oppure ma però né che perché quando se come mentre anche "
            "quindi dunque dove chi cui sebbene ",
        .prepositions =
            " di a ad da in con su per tra fra del dello della dei degli delle al "
            "allo alla ai agli alle dal dalla dai dalle nel nello nella nei negli "
            "nelle sul sulla sui sulle senza sopra sotto verso dopo prima durante "
            "contro secondo ",
        .leaning =
            " mio mia miei mie tuo tua suo sua suoi sue nostro nostra vostro loro "
            "questo questa questi queste quel quella quei quelle ogni io tu lui lei noi "
            "voi non è sono era ha hanno si mi ti ci vi molto più ",
        .titles =
            " sig signor signora dott dottor dottoressa prof professor presidente san "
            "santa santo papa re regina ",
        .units =
            " per cento euro dollari centesimi mila milione milioni miliardo miliardi "
            "gradi metri metro chilometri chilometro chili chilogrammi grammi litri ore "
            "ora minuti secondi giorni settimane mesi anni volte ",
        .abbreviations = " sig dott prof ecc es p.es ing avv ",
    },
    {
        .language = "pt",
        .articles =
            " o a os as um uma uns umas ao à aos às do da dos das no na nos nas num "
            "numa pelo pela pelos pelas ",
        .conjunctions =
            " e ou mas nem que porque quando se como embora enquanto pois onde "
            "quem porém portanto ",
        .prepositions =
            " a ao à aos às de do da dos das em no na nos nas num numa com por "
            "pelo pela pelos pelas para sem sobre entre até desde contra segundo "
            "sob após durante ",
        .leaning =
            " meu minha meus minhas teu tua seu sua seus suas nosso nossa este esta "
            "estes estas esse essa aquele aquela cada eu tu ele ela nós eles elas você "
            "não é são está estão era foi tem têm me te lhe muito mais ",
        .titles =
            " sr sra senhor senhora dom dona dr dra doutor doutora presidente são santa "
            "santo rei rainha ",
        .units =
            " por cento euros euro reais dólares centavos mil milhão milhões bilhão "
            "bilhões graus metros metro quilômetros quilómetros quilos gramas litros "
            "horas hora minutos segundos dias semanas meses anos vezes ",
        .abbreviations = " sr sra dr dra etc p.ex av prof eng ",
    },
    {
        .language = "nl",
        .articles = " de het een 't geen ",
        .conjunctions = " en of maar want dus dat omdat als wanneer terwijl hoewel zodat "
                        "voordat nadat totdat indien toen die wat waar ",
        .prepositions =
            " in op aan van voor met naar bij uit over onder door om tegen tussen "
            "zonder tot sinds tijdens achter langs volgens per binnen buiten te ",
        .leaning =
            " mijn jouw zijn haar ons onze jullie hun uw deze dit elke elk iedere ik jij "
            "je hij zij ze wij we niet is was heeft hebben kan zal wordt zeer heel ",
        .titles = " dhr mevr meneer mevrouw heer dr prof president koning koningin sint ",
        .units =
            " procent euro cent dollar honderd duizend miljoen miljard graden meter "
            "kilometer centimeter kilo kilogram gram liter uur minuten seconden dagen "
            "weken maanden jaar keer ",
        .abbreviations = " dhr mevr dr prof bijv enz nl o.a d.w.z m.a.w ca nr ",
    },
};

bool asr_language_matches(const char *language, const char *code)
{
    size_t length = strcspn(language, "-_");
    return length == strcspn(code, "-_") && strncmp(language, code, length) == 0;
}

/* True when `list` holds `quoted`, a word between spaces. */
static bool list_has(const char *list, const char *quoted)
{
    return list && strstr(list, quoted) != NULL;
}

unsigned asr_word_classes(const char *language, const char *word)
{
    char quoted[48];
    int length = snprintf(quoted, sizeof(quoted), " %s ", word);
    if (length <= 2 || length >= (int)sizeof(quoted) || strchr(word, ' '))
        return 0;

    unsigned classes = list_has(common_units, quoted) ? ASR_WORD_UNIT : 0;
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        const word_table *table = &tables[i];
        if (!asr_language_matches(language, table->language))
            continue;
        classes |= list_has(table->articles, quoted) ? ASR_WORD_ARTICLE : 0;
        classes |= list_has(table->conjunctions, quoted) ? ASR_WORD_CONJUNCTION : 0;
        classes |= list_has(table->prepositions, quoted) ? ASR_WORD_PREPOSITION : 0;
        classes |= list_has(table->leaning, quoted) ? ASR_WORD_LEANING : 0;
        classes |= list_has(table->titles, quoted) ? ASR_WORD_TITLE : 0;
        classes |= list_has(table->units, quoted) ? ASR_WORD_UNIT : 0;
        classes |= list_has(table->abbreviations, quoted) ? ASR_WORD_ABBREVIATION : 0;
    }
    return classes;
}
