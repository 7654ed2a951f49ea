"""What the window, the contact sheet and the plot say beside the labels, in each language; imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True)
class _Text:
    """One thing to say; ``{...}`` stands for a value. Every language is asked for, so that none can be forgotten."""

    en: str
    ko: str
    ja: str
    zh: str
    es: str
    de: str
    fr: str


class Phrase(Enum):
    """One thing to say, in every language.

    What the keys do should stay short: the help has a line for each in the smallest picture.
    """

    QUIT = _Text(en="quit", ko="끝내기", ja="終了", zh="退出", es="salir", de="beenden", fr="quitter")
    PAUSE = _Text(
        en="let the picture stand still, or go on",
        ko="화면 멈춤 또는 계속",
        ja="一時停止、または再開",
        zh="暂停或继续",
        es="detener la imagen, o seguir",
        de="Bild anhalten oder weiter",
        fr="figer l'image, ou continuer",
    )
    SNAPSHOT = _Text(
        en="save the picture",
        ko="화면 저장",
        ja="画像を保存",
        zh="保存画面",
        es="guardar la imagen",
        de="Bild speichern",
        fr="enregistrer l'image",
    )
    RECORD = _Text(
        en="record, or stop recording",
        ko="녹화 시작 또는 중지",
        ja="録画の開始、または停止",
        zh="开始或停止录制",
        es="grabar, o dejar de grabar",
        de="Aufnahme starten oder beenden",
        fr="filmer, ou arrêter",
    )
    MIRROR = _Text(
        en="show the picture as a mirror does",
        ko="거울처럼 보기",
        ja="鏡のように表示",
        zh="镜像显示",
        es="la imagen como en un espejo",
        de="Bild wie im Spiegel",
        fr="l'image comme dans un miroir",
    )
    BARS = _Text(
        en="the bars with all scores",
        ko="모든 점수의 막대",
        ja="すべてのスコアの棒",
        zh="全部得分的条形图",
        es="barras con todos los valores",
        de="Balken mit allen Werten",
        fr="barres de tous les scores",
    )
    LABELS = _Text(en="the labels", ko="이름표", ja="ラベル", zh="标签", es="etiquetas", de="Beschriftungen", fr="étiquettes")
    NUMBERS = _Text(
        en="the numbers: pictures a second, delay",
        ko="수치: 초당 프레임, 지연",
        ja="数値: 毎秒のフレーム数、遅れ",
        zh="数字: 每秒帧数、延迟",
        es="cifras: imágenes/s, retraso",
        de="Zahlen: Bilder/s, Verzögerung",
        fr="chiffres : images/s, retard",
    )
    STRIP = _Text(
        en="the last 30 seconds of each face",
        ko="얼굴마다 지난 30초",
        ja="それぞれの顔の直近30秒",
        zh="每张脸的最近 30 秒",
        es="los últimos 30 s de cada cara",
        de="die letzten 30 s jedes Gesichts",
        fr="les 30 dernières s de chaque visage",
    )
    LARGER_FACES = _Text(
        en="look for larger faces only",
        ko="더 큰 얼굴만 찾기",
        ja="大きい顔だけを探す",
        zh="只找较大的脸",
        es="buscar solo caras más grandes",
        de="nur größere Gesichter suchen",
        fr="seulement de plus grands visages",
    )
    SMALLER_FACES = _Text(
        en="look for smaller faces, too",
        ko="더 작은 얼굴도 찾기",
        ja="小さい顔も探す",
        zh="也找较小的脸",
        es="buscar también caras más pequeñas",
        de="auch kleinere Gesichter suchen",
        fr="aussi de plus petits visages",
    )
    LESS_SMOOTHING = _Text(
        en="smooth the scores less",
        ko="점수를 덜 고르게",
        ja="スコアの平滑化を弱く",
        zh="减少得分平滑",
        es="suavizar menos los valores",
        de="Werte weniger glätten",
        fr="moins lisser les scores",
    )
    MORE_SMOOTHING = _Text(
        en="smooth the scores more",
        ko="점수를 더 고르게",
        ja="スコアの平滑化を強く",
        zh="增加得分平滑",
        es="suavizar más los valores",
        de="Werte stärker glätten",
        fr="plus lisser les scores",
    )
    NEXT_BACKEND = _Text(
        en="the next backend",
        ko="다음 백엔드",
        ja="次のバックエンド",
        zh="下一个后端",
        es="el siguiente backend",
        de="das nächste Backend",
        fr="le backend suivant",
    )
    HELP = _Text(
        en="these lines", ko="이 도움말", ja="このヘルプ", zh="本帮助", es="esta ayuda", de="diese Hilfe", fr="cette aide"
    )
    SPACE_KEY = _Text(en="space", ko="스페이스", ja="スペース", zh="空格", es="espacio", de="Leertaste", fr="espace")

    LOADING = _Text(
        en="loading {backend} ...",
        ko="{backend} 불러오는 중 ...",
        ja="{backend} を読み込み中 ...",
        zh="正在加载 {backend} ...",
        es="cargando {backend} ...",
        de="{backend} wird geladen ...",
        fr="chargement de {backend} ...",
    )
    PAUSED = _Text(en="paused", ko="일시 정지", ja="一時停止中", zh="已暂停", es="en pausa", de="angehalten", fr="en pause")
    RECONNECTING = _Text(
        en="reconnecting ...",
        ko="다시 연결하는 중 ...",
        ja="再接続中 ...",
        zh="正在重新连接 ...",
        es="conectando de nuevo ...",
        de="neue Verbindung wird gesucht ...",
        fr="reconnexion ...",
    )
    SAVED = _Text(
        en="saved {path}",
        ko="저장했습니다: {path}",
        ja="保存しました: {path}",
        zh="已保存 {path}",
        es="guardado: {path}",
        de="gespeichert: {path}",
        fr="enregistré : {path}",
    )
    RECORDING = _Text(
        en="recording {path}",
        ko="녹화 중: {path}",
        ja="録画中: {path}",
        zh="正在录制 {path}",
        es="grabando {path}",
        de="Aufnahme läuft: {path}",
        fr="on filme : {path}",
    )
    RECORDED = _Text(
        en="recorded {path}",
        ko="녹화했습니다: {path}",
        ja="録画しました: {path}",
        zh="已录制 {path}",
        es="grabado: {path}",
        de="aufgenommen: {path}",
        fr="filmé : {path}",
    )
    SMALLEST_FACE_SHARE = _Text(
        en="smallest face: {size:.0%} of the height",
        ko="가장 작은 얼굴: 높이의 {size:.0%}",
        ja="最小の顔: 高さの {size:.0%}",
        zh="最小的脸: 高度的 {size:.0%}",
        es="cara más pequeña: {size:.0%} de la altura",
        de="kleinstes Gesicht: {size:.0%} der Höhe",
        fr="plus petit visage : {size:.0%} de la hauteur",
    )
    SMALLEST_FACE_PIXELS = _Text(
        en="smallest face: {size:.0f} pixels",
        ko="가장 작은 얼굴: {size:.0f}픽셀",
        ja="最小の顔: {size:.0f} ピクセル",
        zh="最小的脸: {size:.0f} 像素",
        es="cara más pequeña: {size:.0f} píxeles",
        de="kleinstes Gesicht: {size:.0f} Pixel",
        fr="plus petit visage : {size:.0f} pixels",
    )
    SMOOTHING = _Text(
        en="smoothing: {seconds:g} s",
        ko="평활화: {seconds:g}초",
        ja="平滑化: {seconds:g} 秒",
        zh="平滑: {seconds:g} 秒",
        es="suavizado: {seconds:g} s",
        de="Glättung: {seconds:g} s",
        fr="lissage : {seconds:g} s",
    )
    NO_SMOOTHING = _Text(
        en="smoothing: off",
        ko="평활화: 끔",
        ja="平滑化: オフ",
        zh="平滑: 关",
        es="suavizado: no",
        de="Glättung: aus",
        fr="lissage : non",
    )
    NO_OTHER_BACKEND = _Text(
        en="there is no other backend",
        ko="다른 백엔드가 없습니다",
        ja="ほかのバックエンドはありません",
        zh="没有其他后端",
        es="no hay otro backend",
        de="es gibt kein anderes Backend",
        fr="il n'y a pas d'autre backend",
    )
    FRAMES_A_SECOND = _Text(
        en="{rate:.0f} frames/s",
        ko="{rate:.0f} 프레임/초",
        ja="{rate:.0f} フレーム/秒",
        zh="{rate:.0f} 帧/秒",
        es="{rate:.0f} imágenes/s",
        de="{rate:.0f} Bilder/s",
        fr="{rate:.0f} images/s",
    )

    NO_FACE = _Text(
        en="no face found",
        ko="얼굴을 찾지 못함",
        ja="顔は見つかりません",
        zh="未找到人脸",
        es="ninguna cara encontrada",
        de="kein Gesicht gefunden",
        fr="aucun visage trouvé",
    )
    UNREADABLE = _Text(
        en="cannot be read",
        ko="읽을 수 없음",
        ja="読み込めません",
        zh="无法读取",
        es="no se puede leer",
        de="nicht lesbar",
        fr="illisible",
    )
    PERSON = _Text(
        en="person {number}",
        ko="사람 {number}",
        ja="人物 {number}",
        zh="人物 {number}",
        es="persona {number}",
        de="Person {number}",
        fr="personne {number}",
    )
    SOME_PEOPLE = _Text(
        en="{shown} of {all} people",
        ko="{all}명 중 {shown}명",
        ja="{all}人中 {shown}人",
        zh="{all} 人中的 {shown} 人",
        es="{shown} de {all} personas",
        de="{shown} von {all} Personen",
        fr="{shown} personnes sur {all}",
    )
    PLOT_EXPLAINED = _Text(
        en="height: confidence; hatched: uncertain; no outline: many short readings, summed up",
        ko="높이: 신뢰도, 빗금: 불확실, 윤곽선 없음: 짧은 판독 여러 개의 합",
        ja="高さ: 信頼度、斜線: 不確か、輪郭なし: 短い読み取りのまとめ",
        zh="高度: 置信度、斜线: 不确定、无轮廓: 多个短时读数的汇总",
        es="altura: confianza; rayado: incierto; sin contorno: suma de muchas lecturas breves",
        de="Höhe: Konfidenz; schraffiert: unsicher; ohne Umriss: viele kurze Werte zusammengefasst",
        fr="hauteur : confiance ; hachuré : incertain ; sans contour : somme de nombreuses lectures brèves",
    )
    SECONDS = _Text(en="seconds", ko="초", ja="秒", zh="秒", es="segundos", de="Sekunden", fr="secondes")

    def text(self, language: str, **values: object) -> str:
        """The phrase with its values in.

        Args:
            language: one of `emodetect.drawing.languages.WORDS`.
            **values: what stands for each ``{...}``.
        """
        text: str = getattr(self.value, language)
        return text.format(**values) if values else text
