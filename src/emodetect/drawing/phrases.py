"""Texts of the window, the contact sheet and the plot in each language. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

_DECIMAL_COMMA = ("de", "es", "fr")


@dataclass(frozen=True)
class Texts:
    """A text in each language; ``{...}`` is a placeholder for a value. All languages are required, so that none is forgotten."""

    en: str
    ko: str
    ja: str
    zh: str
    es: str
    de: str
    fr: str


class Phrase(Enum):
    """A text in each language.

    Descriptions of keys must be short, since the help has one line for each, even in the smallest image.
    """

    QUIT = Texts(en="quit", ko="끝내기", ja="終了", zh="退出", es="salir", de="beenden", fr="quitter")
    PAUSE = Texts(
        en="pause or continue",
        ko="일시 정지 또는 계속",
        ja="一時停止/再開",
        zh="暂停或继续",
        es="pausar o reanudar",
        de="Pause oder weiter",
        fr="pause ou reprise",
    )
    SNAPSHOT = Texts(
        en="save a snapshot",
        ko="화면 저장",
        ja="画像を保存",
        zh="保存画面",
        es="guardar la imagen",
        de="Bild speichern",
        fr="enregistrer l'image",
    )
    RECORD = Texts(
        en="start or stop recording",
        ko="녹화 시작 또는 중지",
        ja="録画の開始/停止",
        zh="开始或停止录制",
        es="iniciar o detener la grabación",
        de="Aufnahme starten oder beenden",
        fr="démarrer ou arrêter la vidéo",
    )
    FULLSCREEN = Texts(
        en="full screen on or off",
        ko="전체 화면 켜기/끄기",
        ja="全画面表示の切り替え",
        zh="开启或关闭全屏",
        es="pantalla completa o no",
        de="Vollbild ein oder aus",
        fr="plein écran ou non",
    )
    MIRROR = Texts(
        en="mirroring on or off",
        ko="좌우 반전 켜기/끄기",
        ja="左右反転の入/切",
        zh="镜像显示开/关",
        es="imagen en espejo, sí o no",
        de="Bild spiegeln oder nicht",
        fr="effet miroir, oui ou non",
    )
    BARS = Texts(
        en="show or hide the scores",
        ko="점수 막대 켜기/끄기",
        ja="スコアのバーの表示/非表示",
        zh="显示或隐藏得分条",
        es="mostrar u ocultar las barras",
        de="Balken zeigen oder nicht",
        fr="montrer ou cacher les barres",
    )
    LABELS = Texts(
        en="show or hide the labels",
        ko="감정 라벨 켜기/끄기",
        ja="ラベルの表示/非表示",
        zh="显示或隐藏标签",
        es="mostrar u ocultar las etiquetas",
        de="Beschriftung zeigen oder nicht",
        fr="montrer ou cacher les étiquettes",
    )
    NUMBERS = Texts(
        en="statistics: frames per second, delay",
        ko="수치: 초당 프레임 수, 지연",
        ja="数値: フレームレート、遅延",
        zh="数据: 帧率、延迟",
        es="datos: fotogramas/s, retardo",
        de="Zahlen: Bilder/s, Verzögerung",
        fr="infos : images/s, latence",
    )
    STRIP = Texts(
        en="history: the last 30 seconds",
        ko="얼굴별 최근 30초",
        ja="各顔の直近30秒",
        zh="每张人脸的最近 30 秒",
        es="los últimos 30 s de cada cara",
        de="die letzten 30 s jedes Gesichts",
        fr="30 dernières secondes par visage",
    )
    LARGER_FACES = Texts(
        en="find larger faces only",
        ko="더 큰 얼굴만 찾기",
        ja="より大きい顔だけ検出",
        zh="只检测较大的人脸",
        es="buscar solo caras más grandes",
        de="nur größere Gesichter suchen",
        fr="ignorer les petits visages",
    )
    SMALLER_FACES = Texts(
        en="find smaller faces as well",
        ko="더 작은 얼굴도 찾기",
        ja="より小さい顔も検出",
        zh="也检测较小的人脸",
        es="buscar también caras más pequeñas",
        de="auch kleinere Gesichter suchen",
        fr="chercher aussi les petits visages",
    )
    LESS_SMOOTHING = Texts(
        en="smooth the scores less",
        ko="점수 평활화 약하게",
        ja="スコアの平滑化を弱く",
        zh="减弱得分平滑",
        es="suavizar menos los valores",
        de="Werte weniger glätten",
        fr="lisser moins les scores",
    )
    MORE_SMOOTHING = Texts(
        en="smooth the scores more",
        ko="점수 평활화 강하게",
        ja="スコアの平滑化を強く",
        zh="增强得分平滑",
        es="suavizar más los valores",
        de="Werte stärker glätten",
        fr="lisser davantage les scores",
    )
    NEXT_BACKEND = Texts(
        en="next backend",
        ko="다음 백엔드",
        ja="次のバックエンド",
        zh="下一个后端",
        es="el siguiente backend",
        de="das nächste Backend",
        fr="le backend suivant",
    )
    NEXT_DETECTOR = Texts(
        en="next face detector",
        ko="다음 얼굴 검출기",
        ja="次の顔検出器",
        zh="下一个人脸检测器",
        es="el siguiente detector",
        de="der nächste Detektor",
        fr="le détecteur suivant",
    )
    HELP = Texts(en="this help", ko="도움말", ja="ヘルプ", zh="帮助", es="esta ayuda", de="diese Hilfe", fr="cette aide")
    SPACE_KEY = Texts(en="space", ko="스페이스", ja="スペース", zh="空格", es="espacio", de="Leertaste", fr="espace")

    LOADING = Texts(
        en="loading {backend} ...",
        ko="{backend} 불러오는 중 ...",
        ja="{backend} を読み込み中 ...",
        zh="正在加载 {backend} ...",
        es="cargando {backend} ...",
        de="{backend} wird geladen ...",
        fr="chargement de {backend} ...",
    )
    PAUSED = Texts(en="paused", ko="일시 정지", ja="一時停止中", zh="已暂停", es="en pausa", de="Pause", fr="en pause")
    RECONNECTING = Texts(
        en="reconnecting ...",
        ko="다시 연결하는 중 ...",
        ja="再接続中 ...",
        zh="正在重新连接 ...",
        es="reconectando ...",
        de="Verbindung wird wiederhergestellt ...",
        fr="reconnexion ...",
    )
    OPENING = Texts(
        en="opening {source} ...",
        ko="{source} 여는 중 ...",
        ja="{source} を開いています ...",
        zh="正在打开 {source} ...",
        es="abriendo {source} ...",
        de="{source} wird geöffnet ...",
        fr="ouverture de {source} ...",
    )
    KEYS = Texts(en="keys", ko="단축키", ja="キー操作", zh="按键说明", es="teclas", de="Tasten", fr="touches")
    FACES_HIDDEN = Texts(
        en="faces are hidden in what is saved",
        ko="저장할 때 얼굴을 가림",
        ja="保存時に顔を隠します",
        zh="保存时会遮住人脸",
        es="las caras se ocultan al guardar",
        de="Gesichter werden verdeckt gespeichert",
        fr="visages masqués à l'enregistrement",
    )
    SAVED = Texts(
        en="saved {path}",
        ko="저장됨: {path}",
        ja="保存しました: {path}",
        zh="已保存: {path}",
        es="guardado: {path}",
        de="gespeichert: {path}",
        fr="enregistré : {path}",
    )
    RECORDING = Texts(
        en="recording {path}",
        ko="녹화 중: {path}",
        ja="録画中: {path}",
        zh="正在录制: {path}",
        es="grabando: {path}",
        de="Aufnahme läuft: {path}",
        fr="enregistrement : {path}",
    )
    RECORDED = Texts(
        en="recorded {path}",
        ko="녹화됨: {path}",
        ja="録画しました: {path}",
        zh="已录制: {path}",
        es="grabado: {path}",
        de="Aufnahme gespeichert: {path}",
        fr="vidéo enregistrée : {path}",
    )
    SMALLEST_FACE_SHARE = Texts(
        en="smallest face: {percent}% of the height",
        ko="최소 얼굴 크기: 화면 높이의 {percent}%",
        ja="最小の顔: 画面の高さの {percent}%",
        zh="最小人脸: 画面高度的 {percent}%",
        es="cara mínima: {percent} % de la altura",
        de="kleinstes Gesicht: {percent} % der Bildhöhe",
        fr="visage minimal : {percent} % de la hauteur",
    )
    SMALLEST_FACE_PIXELS = Texts(
        en="smallest face: {pixels} pixels",
        ko="최소 얼굴 크기: {pixels}픽셀",
        ja="最小の顔: {pixels} ピクセル",
        zh="最小人脸: {pixels} 像素",
        es="cara mínima: {pixels} píxeles",
        de="kleinstes Gesicht: {pixels} Pixel",
        fr="visage minimal : {pixels} pixels",
    )
    SMOOTHING = Texts(
        en="smoothing: {seconds} s",
        ko="평활화: {seconds}초",
        ja="平滑化: {seconds}秒",
        zh="平滑: {seconds} 秒",
        es="suavizado: {seconds} s",
        de="Glättung: {seconds} s",
        fr="lissage : {seconds} s",
    )
    NO_SMOOTHING = Texts(
        en="smoothing: off",
        ko="평활화: 끔",
        ja="平滑化: オフ",
        zh="平滑: 关闭",
        es="suavizado: desactivado",
        de="Glättung: aus",
        fr="lissage : désactivé",
    )
    NO_OTHER_BACKEND = Texts(
        en="there is no other backend",
        ko="다른 백엔드가 없습니다",
        ja="ほかのバックエンドはありません",
        zh="没有其他后端",
        es="no hay otro backend",
        de="kein anderes Backend vorhanden",
        fr="il n'y a pas d'autre backend",
    )
    NOW = Texts(
        en="now: {backend}",
        ko="현재: {backend}",
        ja="現在: {backend}",
        zh="现在: {backend}",
        es="ahora: {backend}",
        de="jetzt: {backend}",
        fr="maintenant : {backend}",
    )
    CANNOT_LOAD = Texts(
        en="{backend} cannot be loaded; the terminal says why",
        ko="{backend}을(를) 불러올 수 없습니다. 이유는 터미널에 있습니다",
        ja="{backend} を読み込めません。理由は端末に表示されます",
        zh="无法加载 {backend}, 原因见终端",
        es="no se puede cargar {backend}; la terminal dice por qué",
        de="{backend} lässt sich nicht laden; das Terminal sagt, warum",
        fr="{backend} ne peut être chargé ; le terminal dit pourquoi",
    )
    CANNOT_SAVE = Texts(
        en="{path} cannot be written; the terminal says why",
        ko="{path}에 쓸 수 없습니다. 이유는 터미널에 있습니다",
        ja="{path} に書き込めません。理由は端末に表示されます",
        zh="无法写入 {path}, 原因见终端",
        es="no se puede escribir {path}; la terminal dice por qué",
        de="{path} lässt sich nicht schreiben; das Terminal sagt, warum",
        fr="{path} ne peut être écrit ; le terminal dit pourquoi",
    )
    FRAME_RATE = Texts(
        en="{rate} frames/s",
        ko="초당 {rate}프레임",
        ja="{rate} フレーム/秒",
        zh="{rate} 帧/秒",
        es="{rate} fotogramas/s",
        de="{rate} Bilder/s",
        fr="{rate} images/s",
    )

    NO_FACE = Texts(
        en="no face found",
        ko="얼굴을 찾지 못함",
        ja="顔が見つかりません",
        zh="未找到人脸",
        es="no se encontró ninguna cara",
        de="kein Gesicht gefunden",
        fr="aucun visage trouvé",
    )
    NO_FACE_SUGGESTION = Texts(
        en="no face found: key - finds smaller faces",
        ko="얼굴을 찾지 못함: - 키로 더 작은 얼굴 찾기",
        ja="顔が見つかりません: - キーで小さい顔も検出",
        zh="未找到人脸: 按 - 键检测更小的人脸",
        es="ninguna cara: la tecla - busca caras más pequeñas",
        de="kein Gesicht gefunden: Taste - sucht kleinere",
        fr="aucun visage : la touche - en cherche de plus petits",
    )
    UNREADABLE = Texts(
        en="cannot be read",
        ko="읽을 수 없음",
        ja="読み込めません",
        zh="无法读取",
        es="no se puede leer",
        de="nicht lesbar",
        fr="illisible",
    )
    PERSON = Texts(
        en="person {number}",
        ko="인물 {number}",
        ja="人物 {number}",
        zh="人物 {number}",
        es="persona {number}",
        de="Person {number}",
        fr="personne {number}",
    )
    SOME_PEOPLE = Texts(
        en="{shown} of {all} people",
        ko="{all}명 중 {shown}명",
        ja="{all}人中 {shown}人",
        zh="共 {all} 人, 显示 {shown} 人",
        es="{shown} de {all} personas",
        de="{shown} von {all} Personen",
        fr="{shown} personnes sur {all}",
    )
    PLOT_EXPLAINED = Texts(
        en="height: confidence; hatched: uncertain; no outline: many short readings, summed up",
        ko="높이: 신뢰도, 빗금: 불확실, 윤곽선 없음: 짧은 판독 여러 개의 합",
        ja="高さ: 信頼度、斜線: 判定不能、輪郭なし: 短い読み取りのまとめ",
        zh="高度: 置信度、斜线: 不确定、无轮廓: 多个短时读数的汇总",
        es="altura: confianza; rayado: dudoso; sin contorno: suma de muchas lecturas breves",
        de="Höhe: Konfidenz; schraffiert: unklar; ohne Umriss: viele kurze Werte zusammengefasst",
        fr="hauteur : confiance ; hachuré : indéterminé ; sans contour : somme de nombreuses lectures brèves",
    )
    SECONDS = Texts(en="seconds", ko="초", ja="秒", zh="秒", es="segundos", de="Sekunden", fr="secondes")

    def text(self, language: str, **values: object) -> str:
        """Format the text in a language.

        Args:
            language: one of `emodetect.drawing.languages.WORDS`.
            **values: value of each ``{...}``.
        """
        text: str = getattr(self.value, language)
        return text.format(**{name: _written(value, language) for name, value in values.items()}) if values else text


def _written(value: object, language: str) -> object:
    """Format a number with the decimal separator of the language; other values are unchanged."""
    if not isinstance(value, float):
        return value
    return f"{value:g}".replace(".", ",") if language in _DECIMAL_COMMA else f"{value:g}"
